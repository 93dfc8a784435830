import type { Logger } from 'pino'
import type { App } from '../app.js'
import type { Config } from '../config/config.js'
import { listenEverywhere, NOT_HERE } from '../http/listeners.js'
import { OperatorError } from '../refusals/operator-error.js'

/**
 * Length of the queue of connections to accept, which the kernel may limit further. A peer that
 * finds it full tries again after a second, which is longer than any answer takes.
 */
const BACKLOG = 4096

/** Listens at HOST and PORT. @throws OperatorError that says why this is not possible */
export async function listen(app: App, { host, port }: Config, log: Logger): Promise<void> {
  try {
    const urls = await listenEverywhere(app, { host, port, backlog: BACKLOG })
    log.info(`listening at ${urls.join(' and ')}`)
  } catch (error) {
    throw asListenProblem(error as NodeJS.ErrnoException, host, port)
  }
}

/** Errors for an address that this machine does not have, and for a name without address. */
const NO_SUCH_ADDRESS = [...NOT_HERE, 'ENOTFOUND', 'EAI_AGAIN']

function asListenProblem(error: NodeJS.ErrnoException, host: string, port: number): Error {
  if (error.code === 'EADDRINUSE') {
    return new OperatorError(`port ${port} on ${host} is in use by another process: stop it, or set PORT`)
  }
  if (error.code === 'EACCES')
    return new OperatorError(`may not listen on port ${port}: set PORT to 1024 or above`)
  if (NO_SUCH_ADDRESS.includes(error.code ?? '')) {
    return new OperatorError(`HOST: ${host} is not an address of this machine`)
  }
  return error
}
