/**
 * Preloaded into every test process by scripts/test.mjs: what tests start with this process's flags gets them
 * without those that say where this one reports to. A child that imports node:test would write there, too.
 */
process.execArgv = process.execArgv.filter((flag) => !flag.startsWith('--test-reporter'));
