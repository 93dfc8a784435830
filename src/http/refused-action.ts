import type { ActionLog, Event, Facts, Origin } from '../logs/action-log.js'
import { Refusal, Unavailable } from '../refusals/refusal.js'

/**
 * Records that an action was refused, and why, more exactly than the caller is told. An outage is no
 * refusal: nobody was judged.
 *
 * @param events what a refusal is called there, and one by the throttle.
 */
export function recordRefusal(
  { record }: Pick<ActionLog, 'record'>,
  events: { refused: Event; throttled: Event },
  error: unknown,
  origin: Origin,
  facts: Facts = {},
): void {
  if (!(error instanceof Refusal) || error instanceof Unavailable) return
  const event = error.slug === 'too_many_attempts' ? events.throttled : events.refused
  record(event, origin, { ...facts, reason: error.reason ?? error.slug })
}
