/**
 * Stops a command, or the start of the service. Its message is one readable line for the operator.
 */
export class OperatorError extends Error {}
