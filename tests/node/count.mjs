// What a suite says at its end, in the form of Rust's tests, so that everything can be counted alike.

/// Prints the counts, and makes the program fail if anything did.
export function finish({ passed, failed, ignored = 0 }) {
  const result = failed === 0 && passed > 0 ? 'ok' : 'FAILED';
  console.log(`\ntest result: ${result}. ${passed} passed; ${failed} failed; ${ignored} ignored`);
  if (result !== 'ok') process.exitCode = 1;
}
