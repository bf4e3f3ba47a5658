export { RASPBERRY_PI_CLASS } from './power-model.ts';
export {
  type AnsweredFrame,
  answeredFrames,
  type PolicySummary,
  type RunSummary,
  summarise,
} from './summary.ts';
