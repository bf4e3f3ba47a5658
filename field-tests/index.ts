export { RASPBERRY_PI_CLASS } from './power-model.ts';
export { median } from './quantile.ts';
export type { CameraCounts, StreamSummary } from './stream-summary.ts';
export {
  type AnsweredFrame,
  answeredFrames,
  type LossyAnswer,
  lossyKey,
  type PolicySummary,
  type RunSummary,
  summarise,
} from './summary.ts';
