import type { ActionLog, Event, Facts, Origin } from '../logs/action-log.js'
import { Refusal, Unavailable } from '../refusals/refusal.js'

/**
 * Records a refused action with its reason, which is more exact than what the caller is told. An
 * outage is not recorded: nothing was decided about the caller.
 *
 * @param events the names of a refusal and of a refusal by the throttle in the action log.
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
