// ---- Reel: the frames of a clip -------------------------------------------------------------------------------

/** How often a picture that is not the one that was sought is waited for. */
const RETRIES = 10;

/**
 * Gives the frames of a clip, one at a time, into one canvas that holds the source and all systems.
 *
 * The film has all of them side by side in every frame, so whatever the decoder drops or delays, what is shown of
 * different systems is always the same frame. `frame` is the number of the one in the canvas.
 *
 * Whether it is exactly what was measured is not believed but looked at: html.py gives a checksum for every frame,
 * and a frame at rest is compared with its own. That also proves its number.
 */
class Reel extends EventTarget {
  constructor(player) {
    super();
    this.player = player;
    this.count = player.checks.length;
    const down = Math.ceil((player.systems.length + 1) / player.across);
    this.stack = h("canvas", { width: player.across * player.width, height: down * player.height });
    // Read back for the errors and the checksums; in the memory of a graphics card, pixels might be changed.
    this.context = this.stack.getContext("2d", { willReadFrequently: true });
    this.frame = -1;
    this.wanted = -1;
    this.playing = false;
    this.exact = null;
    this.looped = true;
    this.speed = 1;
    this.trouble = "";
  }

  /** Where a pane lies in the stack: 0 is the source. */
  corner(pane) {
    const { across, width, height } = this.player;
    return [width * (pane % across), height * Math.floor(pane / across)];
  }

  /** Decode what the page holds of the clip; nothing is decoded of clips that nobody opens. */
  async open() {
    const { film, still } = this.player;
    try {
      if (still !== null) this.still = await createImageBitmap(mediaOf(still, "image/webp"), { colorSpaceConversion: "none" });
      if (film !== null) await this.openFilm(film);
    } catch (error) {
      this.trouble = `This browser does not show it (${error.message || error}). Chromium does.`;
    }
    await this.seek(this.player.worst);
  }

  openFilm(film) {
    const address = URL.createObjectURL(mediaOf(film, "video/webm"));
    const video = h("video", { class: "unseen", playsinline: true, "aria-hidden": "true", tabindex: -1, preload: "auto" });
    if (!video.requestVideoFrameCallback) throw new Error("it does not tell which frame it shows");
    video.muted = true;
    document.body.append(video);
    video.addEventListener("ended", () => this.seek(this.count - 1));
    return new Promise((done, fail) => {
      video.addEventListener("loadeddata", () => done((this.video = video)), { once: true });
      video.addEventListener("error", () => fail(video.error ?? new Error("the film cannot be decoded")), { once: true });
      video.src = address;
    });
  }

  // ---- At rest

  /** Show a frame. Calls while one is sought only change which is wanted. */
  seek(frame) {
    if (this.playing) this.halt();
    this.wanted = Math.max(0, Math.min(this.count - 1, frame));
    this.seeking ??= this.approach().finally(() => (this.seeking = null));
    return this.seeking;
  }

  async approach() {
    let there = -1;
    while (there !== this.wanted) {
      there = this.wanted;
      if (this.video) await this.decode(there);
      else if (!this.isStill(there)) return;
      // A wish that came meanwhile is followed before anything is drawn.
      if (there === this.wanted) this.take(there);
    }
    // Not while frames fly by under a finger.
    this.look(RETRIES);
  }

  look(retries) {
    clearTimeout(this.rest);
    this.rest = setTimeout(() => this.check(retries), 80);
  }

  /** Let the video stand at the middle of a frame, far from both of its neighbours. */
  decode(frame) {
    const time = (frame + 0.5) / this.player.rate;
    if (this.video.currentTime === time && !this.video.seeking) return null;
    return new Promise((done) => {
      this.video.addEventListener("seeked", done, { once: true });
      this.video.currentTime = time;
    });
  }

  isStill(frame) {
    return this.still !== undefined && frame === this.player.worst;
  }

  /** Compare the frame in the stack with its checksum; a video may say that it is there before its picture is. */
  check(retries) {
    if (this.playing || this.seeking) return;
    const { data } = this.context.getImageData(0, 0, this.stack.width, this.stack.height);
    const exact = checksum(data) === this.player.checks[this.frame];
    if (!exact && retries > 0 && this.player.lossless) {
      this.take(this.frame);
      return this.look(retries - 1);
    }
    this.exact = exact;
    this.tell("checked");
  }

  // ---- In motion

  async play() {
    await this.seeking;
    if (!this.video || this.playing) return;
    this.playing = true;
    this.video.loop = this.looped;
    this.video.playbackRate = this.speed;
    if (this.frame === this.count - 1) this.video.currentTime = 0;
    this.tell("state");
    this.follow();
    this.video.play().catch(() => this.pause());
  }

  /** Draw every frame that the video shows from now on. */
  follow() {
    const { rate } = this.player;
    this.video.requestVideoFrameCallback((_now, { mediaTime }) => {
      if (!this.playing) return;
      this.take(Math.min(this.count - 1, Math.round(mediaTime * rate)));
      this.follow();
    });
  }

  /** Stop; the frame that is shown stays, even if the video is one ahead. */
  pause() {
    if (this.playing) this.seek(this.frame);
  }

  halt() {
    this.playing = false;
    this.video.pause();
    this.tell("state");
  }

  setSpeed(speed) {
    this.speed = speed;
    if (this.video) this.video.playbackRate = speed;
  }

  setLooped(looped) {
    this.looped = looped;
    if (this.video) this.video.loop = looped;
  }

  // ---- Both

  /** Put a frame into the stack. At rest, a still takes the place of its frame in a film with loss. */
  take(frame) {
    const picture = !this.playing && this.isStill(frame) ? this.still : this.video;
    this.context.drawImage(picture, 0, 0);
    this.frame = frame;
    this.exact = null;
    this.tell("frame");
  }

  tell(what) {
    this.dispatchEvent(new Event(what));
  }
}

// ---- Checksums ------------------------------------------------------------------------------------------------

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? (byte >>> 1) ^ 0xedb88320 : byte >>> 1;
  return byte;
});

/** CRC-32 (ISO 3309) of red, green and blue of all pixels; opacity is left out. */
function checksum(data) {
  let sum = -1;
  for (let i = 0; i < data.length; i += 4) {
    sum = CRC_TABLE[(sum ^ data[i]) & 255] ^ (sum >>> 8);
    sum = CRC_TABLE[(sum ^ data[i + 1]) & 255] ^ (sum >>> 8);
    sum = CRC_TABLE[(sum ^ data[i + 2]) & 255] ^ (sum >>> 8);
  }
  return (sum ^ -1) >>> 0;
}
