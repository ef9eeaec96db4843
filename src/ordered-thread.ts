/** Threads that answer questions, one after the other. */
import { on } from 'node:events';
import { parentPort, type Transferable, Worker, workerData } from 'node:worker_threads';
import { lowerPriority } from './lower-priority.ts';

export interface OrderedThread<Question, Answer> {
  /** How many questions have no answer yet. */
  readonly waiting: number;
  /** What is `moved` is lost to the sender. Rejects where the thread ends before it has answered. */
  ask(question: Question, moved: readonly Transferable[]): Promise<Answer>;
}

/**
 * Starts a thread that runs `module`, which is to call `answerQuestions` with the same role. It does not keep the process from ending;
 * `onEnd` is called when it is of no use any more.
 */
export function startOrderedThread<Question, Answer>(
  module: string,
  role: string,
  onEnd: () => void = () => {},
): OrderedThread<Question, Answer> {
  const worker = new Worker(new URL(module), { workerData: role });
  const waiting: { resolve: (answer: Answer) => void; reject: (reason: Error) => void }[] = [];
  let failure: Error | undefined;
  worker.on('message', (answer: Answer) => waiting.shift()?.resolve(answer));
  // Behind that listener, which would make it count again.
  worker.unref();
  worker.once('error', error => {
    failure = error;
  });
  worker.once('exit', () => {
    failure ??= new Error(`the thread for ${role} has ended`);
    for (const { reject } of waiting.splice(0)) reject(failure);
    onEnd();
  });
  return {
    get waiting() {
      return waiting.length;
    },
    async ask(question, moved) {
      if (failure !== undefined) throw failure;
      const answer = new Promise<Answer>((resolve, reject) => waiting.push({ resolve, reject }));
      worker.postMessage(question, moved);
      return await answer;
    },
  };
}

/** In a module that is started so: answers what is asked. `movedOf` names what is lost here when it is sent. */
export async function answerQuestions<Question, Answer>(
  role: string,
  answer: (question: Question) => Promise<Answer>,
  movedOf: (answer: Answer) => readonly Transferable[] = () => [],
): Promise<void> {
  if (!parentPort || workerData !== role) return;
  lowerPriority();
  for await (const [question] of on(parentPort, 'message') as AsyncIterable<[Question]>) {
    const answered = await answer(question);
    parentPort.postMessage(answered, movedOf(answered));
  }
}
