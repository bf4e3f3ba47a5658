export { CodedPoint, PolicyName, RoadsideUnitConfig } from './config.ts';
export { BrokerError } from './io/broker.ts';
export { type CampaignProgress, RoadsideUnit, type RoadsideUnitListeners } from './roadside-unit.ts';
