// Pictures: a clip of one frame, or of all that an animated one has.

import { type Frame, Scaler, type Source, SourceError, fitted } from "./source";

/** Open a picture. Fails with `SourceError`. */
export async function openPicture(file: File, side: number): Promise<Source> {
  try {
    return (await animated(file, side)) ?? (await still(file, side));
  } catch (error) {
    throw new SourceError(`${file.name} is not a picture that this browser shows, or it is damaged.`, {
      cause: error,
    });
  }
}

async function still(file: File, side: number): Promise<Source> {
  const picture = await createImageBitmap(file);
  const original = { height: picture.height, width: picture.width };
  const size = fitted(original, side);
  return {
    name: file.name,
    size,
    original,
    live: false,
    async *frames() {
      const pixels = new Scaler(size).pixels((context, width, height) =>
        context.drawImage(picture, 0, 0, width, height),
      );
      yield { pixels, time: 0 };
    },
    close: () => picture.close(),
  };
}

/** Null where there is one frame alone, or no means to read more. */
async function animated(file: File, side: number): Promise<Source | null> {
  if (!("ImageDecoder" in self) || !(await ImageDecoder.isTypeSupported(file.type))) return null;
  const decoder = new ImageDecoder({ data: await file.arrayBuffer(), type: file.type });
  await decoder.tracks.ready;
  const count = decoder.tracks.selectedTrack?.frameCount ?? 1;
  if (count < 2) {
    decoder.close();
    return null;
  }
  const { image } = await decoder.decode({ frameIndex: 0 });
  const original = { height: image.displayHeight, width: image.displayWidth };
  image.close();
  const size = fitted(original, side);
  return {
    name: file.name,
    size,
    original,
    live: false,
    async *frames(): AsyncGenerator<Frame, void, unknown> {
      const scaler = new Scaler(size);
      for (let frameIndex = 0; frameIndex < count; frameIndex++) {
        const { image } = await decoder.decode({ frameIndex });
        const pixels = scaler.pixels((context, width, height) =>
          context.drawImage(image, 0, 0, width, height),
        );
        const time = image.timestamp / 1e6;
        image.close();
        yield { pixels, time };
      }
    },
    close: () => decoder.close(),
  };
}
