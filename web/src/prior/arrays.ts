// The arrays of a prior, from a file of safetensors.

export class Arrays {
  private readonly at: { [name: string]: { shape: number[]; data_offsets: [number, number] } };
  private readonly begin: number;

  constructor(private readonly bytes: Uint8Array) {
    const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
    this.begin = 8 + length;
    this.at = JSON.parse(new TextDecoder().decode(bytes.subarray(8, this.begin)));
  }

  shape(name: string): number[] {
    return this.at[name].shape;
  }

  bytesOf(name: string): Uint8Array {
    const [begin, end] = this.at[name].data_offsets;
    return this.bytes.slice(this.begin + begin, this.begin + end);
  }

  int16(name: string): Int16Array {
    return new Int16Array(this.bytesOf(name).buffer);
  }

  int32(name: string): Int32Array {
    return new Int32Array(this.bytesOf(name).buffer);
  }
}
