/** A process as one file of JavaScript, and the libraries that went into it. */
import { join, relative } from 'node:path';
import { rolldown, type Plugin } from 'rolldown';

export interface Bundle {
  readonly code: string;
  /** Names of npm packages, sorted. */
  readonly libraries: readonly string[];
}

export interface BundleOptions {
  readonly checkout: string;
  /** Module, below the checkout, whose `main` runs with the arguments of the process; or a program of its own. */
  readonly entry: string;
  readonly isProgram?: boolean;
  /** Modules that are left out, with the words that stand in their place when somebody asks for them. */
  readonly without?: ReadonlyMap<string, string>;
  /** What `hushwatch` says that it was built from. */
  readonly build: string;
}

const START = '\0start';
/** Looked for in the place where the package puts it, or not needed: `ws` can go faster with the latter two. */
const OUTSIDE = [/^@duckdb\//, 'bufferutil', 'utf-8-validate'];

export async function bundle({ checkout, entry, isProgram, without, build }: BundleOptions): Promise<Bundle> {
  const bundling = await rolldown({
    input: isProgram === true ? join(checkout, entry) : START,
    platform: 'node',
    external: OUTSIDE,
    transform: { define: { HUSHWATCH_BUILD: JSON.stringify(build) } },
    plugins: [startOf(join(checkout, entry)), leaveOut(checkout, without ?? new Map())],
    onLog: (_level, log) => {
      throw new Error(`bundling ${entry}: ${log.message}`);
    },
  });
  try {
    const { output } = await bundling.generate({ format: 'esm', codeSplitting: false });
    const [file, ...more] = output;
    if (more.length > 0) throw new Error(`bundling ${entry}: more than one file`);
    return { code: file.code, libraries: librariesOf(Object.keys(file.modules)) };
  } finally {
    await bundling.close();
  }
}

function startOf(module: string): Plugin {
  return {
    name: 'start',
    resolveId: (id) => (id === START ? id : null),
    load: (id) =>
      id === START
        ? `import { main } from ${JSON.stringify(module)};\nprocess.exitCode = await main(process.argv.slice(2));\n`
        : null,
  };
}

function leaveOut(checkout: string, without: ReadonlyMap<string, string>): Plugin {
  return {
    name: 'leave-out',
    load: (id) => {
      const words = without.get(relative(checkout, id));
      if (words === undefined) return null;
      const say = `() => { process.stderr.write(${JSON.stringify(`${words}\n`)}); return 2; }`;
      return ['main', 'events', 'alerts', 'stories', 'verify', 'collectorStatus', 'collectorFindings', 'cohortMain']
        .map((name) => `export const ${name} = ${say};`)
        .join('\n');
    },
  };
}

function librariesOf(modules: readonly string[]): readonly string[] {
  const names = modules.flatMap((id) => {
    const [, inside] = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(id) ?? [];
    return inside === undefined ? [] : [inside];
  });
  return [...new Set(names)].toSorted();
}
