import { eventOf, intentOf, openTestStore, pinOf } from '../support/store.ts';

/**
 * A process that writes until it is killed: a program of store-crash.test.ts. Each operation is begun, then
 * recorded and settled in one transaction; `begun N` and `settled N` are said only after the store has
 * returned.
 */
const [, , dir = '', first = '0'] = process.argv;
const store = openTestStore(dir);
process.stdout.write('open\n');
for (let index = Number(first); ; index++) {
  const id = `op-${index}`;
  store.journal.begin(intentOf(id));
  process.stdout.write(`begun ${index}\n`);
  const [event] = store.transaction(() => {
    store.pins.put([pinOf({ path: `p/${index}`, inode: index })]);
    const events = store.events.append([eventOf({ operation_id: id }), eventOf({ operation_id: id })]);
    store.journal.settle(id, 'applied', '2026-11-23T10:00:01.000Z', null);
    return events;
  });
  process.stdout.write(`settled ${index} ${event?.seq}\n`);
  if (index % 50 === 49) store.prune();
}
