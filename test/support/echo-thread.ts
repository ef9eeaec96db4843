/** A thread for tests of `ordered-thread`: it answers with what it is asked, and ends at 'throw' and 'exit'. */
import { answerQuestions } from '../../src/ordered-thread.ts';

export const echoThread = { module: import.meta.url, role: 'echoes' };

await answerQuestions<string | Uint8Array<ArrayBuffer>, string | Uint8Array<ArrayBuffer>>(
  echoThread.role,
  async question => {
    if (question === 'throw') throw new Error('as asked');
    if (question === 'exit') process.exit(3);
    return question;
  },
  answer => (typeof answer === 'string' ? [] : [answer.buffer]),
);
