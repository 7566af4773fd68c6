import { cpus, release } from 'node:os';
import { changes } from './changes.ts';
import { dump } from './dump.ts';
import { fleet } from './fleet.ts';
import { gc } from './gc.ts';
import { hooks } from './hooks.ts';
import { http } from './http.ts';
import { idle } from './idle.ts';
import { lists } from './lists.ts';
import { load } from './load.ts';
import { observe } from './observe.ts';
import { scrape } from './scrape.ts';
import type { Figure } from './support/scenario.ts';
import { waits } from './waits.ts';
import { why } from './why.ts';

const scenarios = [lists, changes, idle, observe, http, dump, why, scrape, load, waits, gc, hooks, fleet];

/** Runs the scenarios named on the command line, or all, one after the other. */
async function main(names: readonly string[]): Promise<void> {
  const unknown = names.find((name) => !scenarios.some((scenario) => scenario.name === name));
  if (unknown !== undefined) {
    console.error(
      `There is no benchmark "${unknown}"; there are ${scenarios.map(({ name }) => name).join(', ')}.`,
    );
    process.exitCode = 2;
    return;
  }
  const figures: Figure[] = [];
  for (const scenario of scenarios) {
    if (names.length > 0 && !names.includes(scenario.name)) continue;
    console.error(`measuring ${scenario.name}…`);
    figures.push(...(await scenario.run()));
  }
  console.table(Object.fromEntries(figures.map((figure) => [figure.name, row(figure)])));
  const machine = { kernel: release(), cpu: cpus()[0]?.model, cores: cpus().length, node: process.version };
  console.log(JSON.stringify({ machine, figures }, null, 2));
}

function row(figure: Figure): Record<string, string> {
  return {
    Pinfold: `${round(figure.ours)} ${figure.unit}`,
    'other side': figure.theirs === undefined ? '' : `${round(figure.theirs)} ${figure.unit}`,
    result: figure.theirs === undefined ? round(figure.result) : `${round(figure.result)}x`,
    target: figure.target,
    met: figure.isMet ? 'yes' : 'NO',
  };
}

function round(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

await main(process.argv.slice(2));
