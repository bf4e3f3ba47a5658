export { CodedPoint, PolicyName, RoadsideUnitConfig } from './config.ts';
export { BrokerError } from './io/broker.ts';
export { type CampaignProgress, RoadsideUnit } from './roadside-unit.ts';
