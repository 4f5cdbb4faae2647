// Plays one utterance on the audio thread: samples come by messages, and a stop is silent from the
// next render quantum (128 samples) on. Knows nothing about servers. player.js has the other side.
//
// Messages in, each with the `id` of an utterance:
//   begin {position, wait}   the utterance plays from sample `position`, `wait` samples after its
//                            first sound; whatever played before is dropped
//   sound {samples, wait}    more sound. `wait` not null: its text may have come late. Where
//                            nothing was left to play, the silence before it is then no
//                            underrun, and it begins `wait` samples later
//   end {}                   no more sound comes
//   stop {}                  drops everything
// Messages out:
//   playing {time}           its first sample plays at `time` of the context
//   position {position, buffered, numUnderruns, silentSamples, isSilent, time}
//   stopped {position, time} all samples before `position` were played, and none after
//   drained {position, time} everything was played

const QUANTA_PER_REPORT = 4;

class Playout extends AudioWorkletProcessor {
  constructor() {
    super();
    this.id = 0;
    this.reset(0, 0);
    this.isActive = false;
    this.port.onmessage = ({ data }) => this.receive(data);
  }

  /**
   * @param {number} position
   * @param {number} wait
   */
  reset(position, wait) {
    /** @type {Float32Array[]} */
    this.queue = [];
    this.at = 0;  // samples of queue[0] that were played
    this.buffered = 0;
    this.position = position;
    this.wait = wait;
    this.hasPlayed = false;
    this.hasEnded = false;
    this.isActive = true;
    this.numUnderruns = 0;
    this.gap = 0;  // silent samples since the queue ran dry
    this.silentSamples = 0;  // of all underruns
    this.quanta = 0;
  }

  /** @param {any} message */
  receive(message) {
    if (message.type === "begin") {
      this.id = message.id;
      this.reset(message.position, message.wait);
    } else if (message.type === "stop") {
      this.stop();
    } else if (message.id === this.id && this.isActive) {
      if (message.type === "sound") this.add(message);
      else if (message.type === "end") this.end();
    }
  }

  /** @param {{samples: Float32Array, wait: number|null}} sound */
  add({ samples, wait }) {
    if (this.gap > 0 && wait === null) {
      this.numUnderruns += 1;
      this.silentSamples += this.gap;
    } else if (this.gap > 0) {
      this.wait = wait ?? 0;
    }
    this.gap = 0;
    this.queue.push(samples);
    this.buffered += samples.length;
  }

  end() {
    this.hasEnded = true;
    this.wait = 0;  // there is nothing to wait for
  }

  stop() {
    this.tell("stopped");
    this.reset(this.position, 0);
    this.isActive = false;
  }

  /**
   * @param {string} type
   * @param {object} [fields]
   */
  tell(type, fields = {}) {
    const { id, position } = this;
    this.port.postMessage({ type, id, position, time: currentTime, ...fields });
  }

  /**
   * @param {Float32Array[][]} _
   * @param {Float32Array[][]} outputs
   */
  process(_, outputs) {
    if (!this.isActive) return true;
    const channel = outputs[0][0];
    const played = this.fill(channel);
    if (played > 0 && !this.hasPlayed) {
      this.hasPlayed = true;
      this.tell("playing");
    }
    if (this.buffered === 0 && this.hasEnded) {
      this.report(played);
      this.tell("drained");
      this.isActive = false;
    } else if (this.quanta % QUANTA_PER_REPORT === 0) {
      this.report(played);
    }
    this.quanta += 1;
    return true;
  }

  /** @param {number} played */
  report(played) {
    const { buffered, numUnderruns, silentSamples } = this;
    const isSilent = played === 0;
    this.tell("position", { buffered, numUnderruns, silentSamples, isSilent });
  }

  /**
   * @param {Float32Array} channel
   * @returns {number} how many samples of sound were played
   */
  fill(channel) {
    let filled = 0;
    let played = 0;
    while (filled < channel.length && this.queue.length > 0) {
      const first = this.queue[0];
      const waited = Math.min(this.wait, channel.length - filled);
      this.wait -= waited;
      filled += waited;
      const count = Math.min(first.length - this.at, channel.length - filled);
      channel.set(first.subarray(this.at, this.at + count), filled);
      filled += count;
      played += count;
      this.at += count;
      if (this.at === first.length) {
        this.queue.shift();
        this.at = 0;
      }
    }
    this.position += played;
    this.buffered -= played;
    if (this.hasPlayed && !this.hasEnded && this.queue.length === 0) {
      this.gap += channel.length - filled;
    }
    return played;
  }
}

registerProcessor("playout", Playout);
