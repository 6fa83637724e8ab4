"""Many videos to files of their own in one folder, resumable to the file.

`plan` says which clip becomes which file, `done` keeps what is done, `run` does the rest and goes on past
what fails. Many videos to one data set: `tubelet.jobs.bulk`.
"""
