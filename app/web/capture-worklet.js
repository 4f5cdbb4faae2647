// Hands on what a microphone hears, in blocks. voice-capture.js has the other side.
//
// Messages out: a Float32Array of BLOCK samples each.

const BLOCK = 960;  // 40 ms at 24 kHz

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.block = new Float32Array(BLOCK);
    this.filled = 0;
  }

  /** @param {Float32Array[][]} inputs one, of one channel; its output is silence */
  process([input]) {
    let rest = input[0] ?? new Float32Array(0);  // nothing comes before the device begins
    while (rest.length > 0) {
      const part = rest.subarray(0, BLOCK - this.filled);
      this.block.set(part, this.filled);
      this.filled += part.length;
      rest = rest.subarray(part.length);
      if (this.filled === BLOCK) this.post();
    }
    return true;
  }

  post() {
    this.port.postMessage(this.block, [this.block.buffer]);
    this.block = new Float32Array(BLOCK);
    this.filled = 0;
  }
}

registerProcessor("capture", Capture);
