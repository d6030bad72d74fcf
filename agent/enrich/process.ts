/** Processes: made, become another program, ended; what they load. */
import { groupOf } from '../cgroup.ts';
import type { Attributes, RawEvent } from '../event.ts';
import type { ProcessRecord, Told } from '../process-table.ts';
import type { DescribedFrame, ExecFrame, ProcessFrame } from '../sources/frame.ts';
import { absolute } from '../sources/frames/reader.ts';
import { actorOf, capabilities, device, eventOf, knownId, knownText, mappingOf, type Known } from './told.ts';

const SETUID_OR_SETGID = 0o6000;
/** The process of which all threads of the kernel are children. */
const KERNEL_THREADS = 2;

const isMemory = (path: string, links: number | undefined): boolean => links === 0 && /^\/?memfd:/.test(path);

export function processEvent(frame: ProcessFrame, known: Known): RawEvent {
  switch (frame.kind) {
    case 'fork': {
      const child = known.processes.fork(frame.pid, frame.startNs, frame.parentPid, frame.parentStartNs);
      return eventOf(known, 'process.fork', frame, {
        ...actorOf(known, frame, child),
        'process.parent.entity.id': child.parentEntity,
        'process.parent_pid': frame.parentPid,
      });
    }
    case 'exec':
      return eventOf(
        known,
        'process.exec',
        frame,
        execOf(known, frame, known.processes.find(frame.pid, frame.startNs)),
      );
    case 'exec-refused': {
      const process = known.processes.find(frame.pid, frame.startNs);
      return eventOf(known, 'process.exec', frame, {
        ...actorOf(known, frame, process),
        // The program that was refused, not the one that asked for it.
        'process.executable.path': frame.executable,
        'file.path.origin': frame.origin,
        'process.parent.executable.path': process.executable,
      });
    }
    case 'exit': {
      const process = known.processes.find(frame.pid, frame.startNs);
      known.processes.exit(process, frame.atNs);
      return eventOf(known, 'process.exit', frame, {
        ...actorOf(known, frame, process),
        'process.exit.code': frame.code,
        'process.exit.signal': frame.signal,
        'process.lifetime': Math.max(0, frame.atNs - frame.startNs) / 1e9,
      });
    }
    case 'image':
      return eventOf(known, 'process.image.load', frame, {
        ...actorOf(known, frame),
        ...mappingOf(known, frame),
        'process.image.deleted': frame.file?.links === 0,
        'process.image.memfd': isMemory(frame.path, frame.file?.links),
      });
  }
}

/** A process that lives, told in full: no event, but what later ones are told with. */
export function describeProcess(frame: DescribedFrame, { processes }: Known): void {
  processes.describe(toldBy(frame));
  processes.domains.of(frame.domain, frame.pid, frame.atNs);
}

const toldBy = (frame: ExecFrame | DescribedFrame): Told => ({
  pid: frame.pid,
  startNs: frame.startNs,
  atNs: frame.atNs,
  parentPid: frame.parentPid,
  parentStartNs: frame.parentStartNs,
  executable: knownText(frame.executable),
  kernel: frame.executable === '' && (frame.pid === KERNEL_THREADS || frame.parentPid === KERNEL_THREADS),
  args: frame.args,
  auditSession: knownId(frame.credentials.auditSession),
  domain: frame.domain,
});

function programOf({ file, executable }: ExecFrame): Attributes {
  if (file === undefined) return {};
  return {
    'process.executable.inode': file.inode,
    'process.executable.device': device(file),
    'process.executable.deleted': file.links === 0,
    'process.executable.memfd': isMemory(executable, file.links),
    'process.executable.setuid': (file.mode & SETUID_OR_SETGID) !== 0,
    'process.executable.owner.id': file.uid,
  };
}

function execOf(known: Known, frame: ExecFrame, process: ProcessRecord): Attributes {
  const { credentials, namespaces } = frame;
  // Whoever was gone before it could be asked has the parent that forked it.
  const parent = frame.parentPid === 0 ? undefined : known.processes.find(frame.parentPid, frame.parentStartNs);
  known.processes.exec(process, toldBy(frame), parent);
  const group = groupOf(frame.cgroup);
  return {
    ...actorOf(known, frame, process),
    'process.parent.entity.id': process.parentEntity,
    'process.parent_pid': process.parentPid === 0 ? undefined : process.parentPid,
    'process.parent.executable.path': parent === undefined ? undefined : known.processes.executableOf(parent),
    'process.ancestors': process.ancestors,
    'process.ancestors.complete': process.ancestorsComplete,
    ...programOf(frame),
    'process.script.path': frame.script === '' ? undefined : absolute(frame.workingDirectory, frame.script),
    'process.command_args': frame.args,
    'process.parent.command_args': parent?.args,
    'process.args_count': frame.argsCount,
    'process.working_directory': knownText(frame.workingDirectory),
    'process.real_user.id': knownId(credentials.realUid),
    'process.saved_user.id': knownId(credentials.savedUid),
    'process.group.id': knownId(credentials.effectiveGid),
    'process.capabilities.effective': capabilities(credentials),
    'process.linux.cgroup': knownText(frame.cgroup),
    'systemd.unit': group.unit,
    'container.id': group.container,
    'process.namespace.mnt': namespaces.mnt || undefined,
    'process.namespace.pid': namespaces.pid || undefined,
    'process.namespace.net': namespaces.net || undefined,
    'process.namespace.user': namespaces.user || undefined,
    'process.audit.user.id': knownId(credentials.loginUid),
  };
}
