/** The vehicles of bench/replan.ts, a connection each: tells its parent whenever all of them have been sent a plan. */
import { topicOf } from '@splitlane/proto';
import { connectAsync } from 'mqtt';

const [port, vehicles] = process.argv.slice(2).map(Number) as [number, number];
let arrived = 0;
for (let index = 0; index < vehicles; index++) {
  const clientId = `vehicle-${index + 1}`;
  const client = await connectAsync({ host: '127.0.0.1', port, clientId, reconnectPeriod: 0 });
  // Counted, not read: each vehicle does that on a machine of its own.
  client.on('message', () => {
    if (++arrived % vehicles === 0) process.send!('all');
  });
  await client.subscribeAsync(topicOf('plan', clientId), { qos: 1 });
}
process.send!('all');
process.on('disconnect', () => process.exit(0));
