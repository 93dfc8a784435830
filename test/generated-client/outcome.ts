/** What whoever runs the service has told the consumer. */
export interface Given {
  url: string
  mobile: string
  password: string
}

/** What a consumer learns through its generated client: the user of each answer, and a refusal. */
export interface Outcome {
  loggedIn: number
  identified: number
  verified: number
  refused: { status: number; error: string }
}
