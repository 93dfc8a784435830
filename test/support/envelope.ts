/** An answer, as any client has read it. */
interface Seen {
  status: number
  headers: Record<string, unknown>
  text: string
}

interface Rules {
  statuses: readonly number[]
  /** What the caller sent. */
  input?: string
}

/** The flaws of an answer: it breaks the envelope, shows internals, or repeats the input. */
export function flawsOf({ status, headers, text }: Seen, { statuses, input = '' }: Rules): string[] {
  const flaws: string[] = []
  if (!statuses.includes(status)) flaws.push(`status ${status}`)
  if (headers['content-type'] !== 'application/json; charset=utf-8')
    flaws.push(`type ${headers['content-type']}`)
  const body = parsed(text)
  const members = Object.keys(body ?? {}).join()
  if (body?.code !== status) flaws.push(`code ${body?.code} with status ${status}`)
  if (status === 200 && !/^code,msg(,data)?$/.test(members)) flaws.push(`members ${members}`)
  if (status !== 200 && members !== 'code,error,msg') flaws.push(`members ${members}`)
  if (status === 401 && !headers['www-authenticate']) flaws.push('no challenge')
  if (/node_modules|\.[jt]s:\d|\bat \w+ \(|Error:|FST_|HPE_/.test(text)) flaws.push('tells of the inside')
  if (status !== 200 && isEchoed(input, text)) flaws.push('repeats what was sent')
  return flaws
}

/** The inputs whose answers have flaws, with these flaws. */
export async function findings<T>(inputs: T[], look: (input: T) => Promise<[name: string, flaws: string[]]>) {
  const found: unknown[] = []
  for (const input of inputs) {
    const [name, flaws] = await look(input)
    if (flaws.length > 0) found.push({ input: name.slice(0, 200), flaws })
  }
  return found
}

/** Whether the text repeats the input. Inputs below four characters occur in any text. */
function isEchoed(input: string, text: string): boolean {
  return input.length >= 4 && (text.includes(input) || text.includes(JSON.stringify(input).slice(1, -1)))
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
