# tubelet on a CPU. Written on paper: where it was written nothing builds images.
#
#     docker build -t tubelet . ; docker run --rm -v "$PWD:/work" tubelet reconstruct my.mp4
FROM python:3.12-slim
ENV PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
COPY constraints.txt /tmp/
RUN pip install -c /tmp/constraints.txt torch --index-url https://download.pytorch.org/whl/cpu
COPY . /src
RUN pip install -c /tmp/constraints.txt '/src[demo,flow,plots,scenes,tokens,train]' && rm -rf /src
RUN useradd --uid 1000 --create-home user && mkdir /work && chown user /work
USER 1000
WORKDIR /work
ENTRYPOINT ["tubelet"]
CMD ["--help"]
