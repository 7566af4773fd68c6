import { statSync } from 'node:fs';
import { hostname } from 'node:os';
import { parse as parseYaml, YAMLParseError } from 'yaml';
import { ConfigError, parseEnvironment, type Settings } from '../model/config.ts';
import { readText } from './process.ts';

/** Everything a configuration is merged from. */
export interface ConfigSources {
  readonly flags: Settings;
  readonly env: Settings;
  readonly file: unknown;
  readonly fileMode?: number;
  readonly hostName: string;
}

/** The environment of the process, as main.ts hands it on. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Reads the environment, and the file that is named there or by flag. @throws ConfigError */
export function readSources(flags: Settings, environment: Environment): ConfigSources {
  const env = parseEnvironment(environment);
  const path = flags['config'] ?? env['config'];
  const read = typeof path === 'string' ? readConfigFile(path) : { file: undefined };
  return { flags, env, hostName: hostname(), ...read };
}

/** @throws ConfigError where it is not YAML, naming the line */
function readConfigFile(path: string): { readonly file: unknown; readonly fileMode: number } {
  const text = readText(path);
  try {
    return { file: parseYaml(text, { logLevel: 'error' }), fileMode: statSync(path).mode };
  } catch (error) {
    if (error instanceof YAMLParseError) {
      const [what = ''] = error.message.split(/:?\n/, 1);
      throw new ConfigError(`${path} is not YAML: ${what}.`);
    }
    // What is YAML but has no value, such as an alias of nothing.
    if (error instanceof ReferenceError) throw new ConfigError(`${path} is not YAML: ${error.message}.`);
    throw error;
  }
}
