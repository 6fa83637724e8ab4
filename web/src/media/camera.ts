// The camera: its newest frame, whenever one is asked for.

import { Scaler, type Source, SourceError, fitted } from "./source";

/** Ask for the camera. Fails with `SourceError`. */
export async function openCamera(side: number): Promise<Source> {
  if (!navigator.mediaDevices) {
    throw new SourceError(
      "The browser gives the camera to pages of this machine or of https alone. Open the page at localhost.",
    );
  }
  const video = document.createElement("video");
  video.muted = true;
  video.playsInline = true;
  video.srcObject = await stream(side);
  await video.play();
  const original = { height: video.videoHeight, width: video.videoWidth };
  const size = fitted(original, side);
  let open = true;
  return {
    name: "camera",
    size,
    original,
    live: true,
    async *frames() {
      const scaler = new Scaler(size);
      const begin = performance.now();
      while (open) {
        await new Promise((resolve) => video.requestVideoFrameCallback(resolve));
        const pixels = scaler.pixels((context, width, height) =>
          context.drawImage(video, 0, 0, width, height),
        );
        yield { pixels, time: (performance.now() - begin) / 1000 };
      }
    },
    close() {
      open = false;
      for (const track of (video.srcObject as MediaStream).getTracks()) track.stop();
    },
  };
}

async function stream(side: number): Promise<MediaStream> {
  try {
    return await navigator.mediaDevices.getUserMedia({
      video: { width: { ideal: side }, frameRate: { ideal: 24 } },
    });
  } catch (error) {
    const name = error instanceof DOMException ? error.name : "";
    if (name === "NotFoundError")
      throw new SourceError("There is no camera on this machine. Open a file instead.", { cause: error });
    if (name === "NotAllowedError")
      throw new SourceError(
        "The camera was not allowed. Allow it beside the address, and press Camera again.",
        { cause: error },
      );
    throw new SourceError("The camera did not start; another program may have it.", { cause: error });
  }
}
