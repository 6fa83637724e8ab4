// Video files: every frame, in order, by the browser's own decoders.

import { ALL_FORMATS, BlobSource, Input, VideoSampleSink, type InputVideoTrack } from "mediabunny";
import { openPicture } from "./picture";
import { type Frame, Scaler, type Source, SourceError, fitted } from "./source";

/** Open what the user chose, or dropped. Fails with `SourceError`. */
export async function openFile(file: File, side: number): Promise<Source> {
  if (file.size === 0) throw new SourceError(`${file.name} is empty.`);
  if (file.type.startsWith("image/")) return openPicture(file, side);
  if (!("VideoDecoder" in self)) {
    throw new SourceError(
      "This browser cannot decode videos frame by frame (WebCodecs). A newer one can; the camera works here too.",
    );
  }
  const input = new Input({ formats: ALL_FORMATS, source: new BlobSource(file) });
  const track = await videoTrack(input, file.name);
  return videoSource(input, track, file.name, side);
}

async function videoTrack(input: Input, name: string): Promise<InputVideoTrack> {
  let track: InputVideoTrack | null;
  try {
    track = await input.getPrimaryVideoTrack();
  } catch (error) {
    throw new SourceError(
      `${name} is not a video that can be read here (MP4, MOV, WebM, MKV and others are), or it is damaged.`,
      { cause: error },
    );
  }
  if (!track)
    throw new SourceError(
      `${name} has no video in it, or was cut short. Choose a file with moving pictures.`,
    );
  if (await track.canDecode()) return track;
  const codec = (await track.getCodec()) ?? "an unknown codec";
  throw new SourceError(
    `${name} is coded with ${codec}, which this browser does not decode. Convert it to H.264, VP9 or AV1.`,
  );
}

async function videoSource(
  input: Input,
  track: InputVideoTrack,
  name: string,
  side: number,
): Promise<Source> {
  const original = { height: await track.getDisplayHeight(), width: await track.getDisplayWidth() };
  const size = fitted(original, side);
  const frames = framesOf(track, name, new Scaler(size));
  // What cannot be decoded at all is said before anything else makes room for it.
  const first = await frames.next();
  if (first.done) throw new SourceError(`${name} has no frame that can be decoded.`);
  return {
    name,
    size,
    original,
    live: false,
    async *frames() {
      yield first.value;
      yield* frames;
    },
    close: () => input.dispose(),
  };
}

async function* framesOf(
  track: InputVideoTrack,
  name: string,
  scaler: Scaler,
): AsyncGenerator<Frame, void, unknown> {
  let begin: number | null = null;
  let count = 0;
  try {
    for await (const sample of new VideoSampleSink(track).samples()) {
      begin ??= sample.timestamp;
      const pixels = scaler.pixels((context, width, height) => sample.draw(context, 0, 0, width, height));
      const time = sample.timestamp - begin;
      sample.close();
      count++;
      yield { pixels, time };
    }
  } catch (error) {
    const rest =
      count === 0
        ? ""
        : `; what is shown is what came before, ${count === 1 ? "a frame" : `${count} frames`}`;
    throw new SourceError(`${name} ${reasonOf(error)}${rest}.`, { cause: error });
  }
}

function reasonOf(error: unknown): string {
  const said = error instanceof Error ? error.message : String(error);
  return /encrypted/i.test(said)
    ? "is encrypted, and cannot be read here"
    : "is damaged, or coded in a way that this browser does not decode";
}
