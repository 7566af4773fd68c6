import type { NewEvent } from '../../src/model/schema/event.ts';

/** An event of two kilobytes that says which it is. */
export function thickEvent(number: number): NewEvent {
  const after = { number, text: 'x'.repeat(2000) };
  return {
    time: '2026-11-23T10:00:00.000Z',
    type: 'node.started',
    subject: {},
    before: null,
    after,
    actor: 'kernel',
  };
}
