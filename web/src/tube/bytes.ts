// The numbers of a .tube file (SPEC, section 2), read from front to back.

/** What is wrong with a file, in words for the user. */
export class TubeError extends Error {}

/** The file must be read with a newer page, or with another one; what is before that is not shown either. */
export class NewerError extends TubeError {}

const LARGEST = 2n ** 63n - 1n;
const LARGEST_TIME = 2n ** 62n - 1n;

export class Bytes {
  at = 0;
  private readonly view: DataView;

  constructor(readonly data: Uint8Array) {
    this.view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  }

  get left(): number {
    return this.data.length - this.at;
  }

  take(size: number): Uint8Array {
    if (size > this.left)
      throw new TubeError("the file is damaged: a part of it is longer than what holds it");
    this.at += size;
    return this.data.subarray(this.at - size, this.at);
  }

  u8(): number {
    return this.take(1)[0];
  }

  u16(): number {
    this.take(2);
    return this.view.getUint16(this.at - 2, true);
  }

  u32(): number {
    this.take(4);
    return this.view.getUint32(this.at - 4, true);
  }

  u64(): bigint {
    this.take(8);
    return this.view.getBigUint64(this.at - 8, true);
  }

  /** Of variable length, of at most so many bytes. */
  big(bytes = 10): bigint {
    let value = 0n;
    for (let place = 0; place < bytes; place++) {
      const byte = this.u8();
      value |= BigInt(byte & 127) << BigInt(7 * place);
      if (byte < 128) {
        if (byte === 0 && place > 0) break;
        if (value > LARGEST) break;
        return value;
      }
    }
    throw new TubeError("the file is damaged: a number is not in its shortest form, or too large");
  }

  /** A number of variable length that is at most `most`. */
  uv(most: number, bytes = 10): number {
    const value = this.big(bytes);
    if (value > BigInt(most))
      throw new TubeError(`the file is damaged: a number is ${value}, and ${most} at most`);
    return Number(value);
  }

  /** With a sign. */
  sv(bytes = 10): bigint {
    const value = this.big(bytes);
    return value & 1n ? -(value >> 1n) - 1n : value >> 1n;
  }

  /** A time, or a part of one. */
  time(): bigint {
    return checkedTime(this.sv());
  }

  /** A checksum of everything from byte `since` on. */
  checksum(since: number, what: string): void {
    const expected = crc32(this.data.subarray(since, this.at));
    if (this.u32() !== expected)
      throw new TubeError(`the file is damaged: the checksum of ${what} does not match`);
  }

  done(what: string): void {
    if (this.left) throw new TubeError(`the file is damaged: ${what} is longer than what it holds`);
  }
}

export function checkedTime(time: bigint): bigint {
  if (time > LARGEST_TIME || time < -LARGEST_TIME)
    throw new TubeError("the file is damaged: a time is out of range");
  return time;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

export function crc32(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (let at = 0; at < data.length; at++) crc = CRC_TABLE[(crc ^ data[at]) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** The checksum of symbols: each as four bytes, least significant first. */
export function crcOfSymbols(symbols: Int32Array): number {
  const bytes = new Uint8Array(symbols.buffer, symbols.byteOffset, symbols.byteLength);
  if (LITTLE_ENDIAN) return crc32(bytes);
  const swapped = new DataView(new ArrayBuffer(bytes.length));
  symbols.forEach((symbol, i) => swapped.setInt32(4 * i, symbol, true));
  return crc32(new Uint8Array(swapped.buffer));
}

const LITTLE_ENDIAN = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1;
