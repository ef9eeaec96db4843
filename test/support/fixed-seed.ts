/** Loaded before every test: properties are tried with the same values each time. TEST_SEED tries others. */
import fc from 'fast-check';

fc.configureGlobal({ seed: Number(process.env.TEST_SEED ?? 20260112) });
