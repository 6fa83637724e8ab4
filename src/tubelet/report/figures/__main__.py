"""`python -m tubelet.report.figures`."""

from tubelet.report.figures.page import main

if __name__ == "__main__":
    main()
