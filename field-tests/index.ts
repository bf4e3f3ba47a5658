export {
  type AnsweredFrame,
  answeredFrames,
  type PolicySummary,
  type RunSummary,
  summarise,
} from './summary.ts';
