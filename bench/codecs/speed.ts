/** How long codecs take, against a plain copy of the tensor and against the transfer that they save. */
import { figure, mediansMs, printRows } from '../schedulers/timing.ts';
import { codecsAt } from './bytes-and-fidelity.ts';
import type { Frame, SegmentedNetwork } from './network.ts';

/** Encoding and decoding may take so much of the transfer that they save: the goal for `uint8`. */
const GOAL_PERCENT = 3;

/** To stdout, for each kept cut. */
export function printSpeed(frame: Frame, network: SegmentedNetwork, bps: number): void {
  let worst = 0;
  network.model.cuts.slice(0, -1).forEach(({ id, dims, bytes }, cut) => {
    const tensor = frame.tensors[cut]!;
    const target = new Float32Array(tensor.length);
    const codecs = codecsAt(cut, network).map(({ name, codec }) => ({
      name,
      codec,
      coded: codec.encode(tensor, dims),
    }));
    const [copyMs, ...times] = mediansMs(
      [
        () => target.set(tensor),
        ...codecs.flatMap(({ codec, coded }) => [
          () => codec.encode(tensor, dims),
          () => codec.decode(coded, dims),
        ]),
      ],
      4000,
    );
    console.log(
      `\n${id}, ${bytes} bytes; a plain copy takes ${figure(copyMs!)} ms (${figure(bytes / copyMs! / 1e6)} GB/s)`,
    );
    const rows = codecs.map(({ name, coded }, index) => {
      const [encodeMs, decodeMs] = [times[2 * index]!, times[2 * index + 1]!];
      const savedMs = ((bytes - coded.length) * 8000) / bps;
      const percent = (100 * (encodeMs + decodeMs)) / savedMs;
      if (name === 'uint8') worst = Math.max(worst, percent);
      return [
        name,
        ...[encodeMs, decodeMs, bytes / encodeMs / 1e6, bytes / decodeMs / 1e6].map(figure),
        figure((encodeMs + decodeMs) / copyMs!),
        savedMs > 0 ? `${percent.toFixed(2)} %` : '–',
      ];
    });
    const head = ['codec', 'encode ms', 'decode ms', 'encode GB/s', 'decode GB/s', '÷ copy', 'of saved time'];
    printRows([head, ...rows]);
  });
  console.log(
    `\nuint8 takes at most ${worst.toFixed(2)} % of the transfer that it saves at ${bps / 1e6} Mbit/s` +
      ` (goal ${GOAL_PERCENT} %): ${worst <= GOAL_PERCENT ? 'reached' : 'NOT reached'}`,
  );
}
