/** What the real lines tell: how many of each kind, a few of them whole, written by hand, and which of their texts are read. */
import type { RawEvent } from '../../../../agent/event.ts';
import type { Exporter } from '../../../../agent/sources/exporters/name.ts';

export const TABLE: Readonly<Record<Exporter, Readonly<Record<string, number>>>> = {
  // Unmapped are Kubernetes audit logs and test messages; unreadable are a template's text, a false time, a drop without its number.
  falco: { 'process.exec': 12, 'network.connect': 2, 'file.open': 2, loss: 7, unmapped: 8, unreadable: 3 },
  laurel: {
    'process.exec': 6,
    'network.connect': 1,
    'process.trace': 1,
    'kernel.io_uring.operation': 1,
    unmapped: 9,
  },
  tetragon: {
    'process.exec': 22,
    'process.exit': 10,
    'process.credentials.change': 3,
    'process.namespace.change': 1,
    'file.open': 3,
    'network.connect': 5,
    'network.listen': 2,
    'kernel.module.load': 1,
    'kernel.module.unload': 1,
    loss: 2,
    unmapped: 10,
  },
  // Most of Tracee's documented lines are packets, which are no events of ours.
  tracee: { 'process.exec': 3, 'file.open': 3, unmapped: 14 },
};

export const READ: Readonly<Record<Exporter, readonly string[]>> = {
  falco: [
    'output_fields fd.name',
    'output_fields proc.exepath',
    'output_fields proc.pexepath',
    'output_fields user.name',
  ],
  laurel: ['CWD cwd', 'EXECVE ARGV []', 'SYSCALL EUID', 'SYSCALL exe'],
  tetragon: [
    'process_connect process binary',
    'process_exec parent arguments',
    'process_exec parent binary',
    'process_exec process arguments',
    'process_exec process binary',
    'process_exec process cwd',
    'process_exit process binary',
    'process_kprobe args [] file_arg path',
    'process_kprobe args [] module_arg name',
    'process_kprobe process binary',
    'process_listen process binary',
  ],
  tracee: ['args [argv] value []', 'args [pathname] value', 'data [argv] str_array value []', 'data [pathname] str'],
};

interface Golden {
  readonly index: number;
  readonly event: RawEvent;
}

const ROOT = { 'process.user.id': 0, 'process.user.name': 'root' } as const;
const NO_CONTAINER_USER = { 'process.user.id': 1000, 'process.user.name': 'user' } as const;

export const EXPECTED: Readonly<Record<Exporter, readonly Golden[]>> = {
  falco: [
    {
      index: 7,
      event: {
        name: 'process.exec',
        time: 1_610_667_584_834_631,
        attributes: { 'process.user.name': 'root', 'container.id': '5892b41bcf46' },
      },
    },
    {
      index: 9,
      event: {
        name: 'network.connect',
        time: 1_618_082_841_038_853,
        attributes: {
          'network.type': 'ipv4',
          'network.local.address': '172.17.0.9',
          'network.local.port': 43_812,
          'network.peer.address': '10.96.0.1',
          'network.peer.port': 443,
        },
      },
    },
    {
      index: 23,
      event: {
        name: 'file.open',
        time: 1_558_107_116_746_609,
        attributes: {
          'process.user.name': 'root',
          'file.open.access': 'write',
          'file.path': '/bin/hack',
          'file.path.origin': 'argument',
        },
      },
    },
    {
      index: 30,
      event: {
        name: 'file.open',
        time: 1_715_108_059_341_081,
        attributes: {
          'process.executable.path': '/bin/event-generator',
          ...ROOT,
          'file.path': '/etc/shadow',
          'file.path.origin': 'argument',
        },
      },
    },
    {
      index: 32,
      event: {
        name: 'process.exec',
        time: 1_715_108_067_767_673,
        attributes: {
          'process.executable.path': '/bin/bash',
          ...ROOT,
          'process.parent.executable.path': '/bin/event-generator',
          'container.id': '9656db3bb358',
        },
      },
    },
  ],
  laurel: [
    {
      index: 5,
      event: {
        name: 'process.exec',
        time: 1_615_114_232_375_000,
        attributes: {
          'process.pid': 10_884,
          'process.executable.path': '/usr/bin/whoami',
          ...ROOT,
          'process.audit.session.id': 1,
          'process.parent_pid': 10_883,
          'process.executable.inode': 261_214,
          'process.executable.device': '202:3',
          'process.executable.owner.id': 0,
          'process.command_args': ['whoami'],
          'process.args_count': 1,
          'process.working_directory': '/home/user/tmp',
          'process.real_user.id': 0,
          'process.saved_user.id': 0,
          'process.group.id': 0,
          'process.audit.user.id': 1000,
        },
      },
    },
    {
      index: 7,
      event: {
        name: 'network.connect',
        time: 1_705_071_450_879_000,
        attributes: {
          'process.pid': 3_736_674,
          'process.executable.path': '/usr/bin/ls',
          ...NO_CONTAINER_USER,
          'process.audit.session.id': 2,
          'error.type': 'ENOENT',
          'network.transport': 'unix',
          'network.unix.path': '/var/run/nscd/socket',
        },
      },
    },
    {
      // Some of its keys stand twice.
      index: 9,
      event: {
        name: 'process.trace',
        time: 1_739_218_487_007_000,
        attributes: {
          'process.pid': 2_732_828,
          'process.executable.path': '/usr/bin/strace',
          ...ROOT,
          'process.audit.session.id': 2,
          'process.trace.request': 'seize',
          'process.target.pid': 2_732_155,
        },
      },
    },
    {
      // Not translated by laurel: the call's number says what it was.
      index: 10,
      event: {
        name: 'process.exec',
        time: 1_628_602_815_266_000,
        attributes: {
          'process.pid': 6_382,
          'process.executable.path': '/usr/bin/cat',
          ...ROOT,
          'process.audit.session.id': 1,
          'process.parent_pid': 3_193,
          'process.real_user.id': 0,
          'process.saved_user.id': 0,
          'process.group.id': 0,
          'process.audit.user.id': 1000,
        },
      },
    },
    {
      index: 16,
      event: {
        name: 'kernel.io_uring.operation',
        time: 1_737_533_617_373_000,
        attributes: { 'process.pid': 3_178_806, ...ROOT, 'kernel.io_uring.operation': 'openat' },
      },
    },
  ],
  tetragon: [
    {
      index: 4,
      event: {
        name: 'network.connect',
        time: 1_642_609_742_021_000,
        attributes: {
          'process.entity.id': '115153-10575728350079',
          'process.pid': 115_153,
          'process.executable.path': '/usr/bin/curl',
          ...ROOT,
          'network.transport': 'tcp',
          'network.type': 'ipv4',
          'network.peer.address': '142.250.180.196',
          'network.peer.port': 80,
          'network.local.address': '10.88.0.7',
          'network.local.port': 49_168,
        },
      },
    },
    {
      index: 9,
      event: {
        name: 'process.exec',
        time: 1_696_629_837_700_326,
        attributes: {
          'process.entity.id': '52699-13548674321373',
          'process.pid': 52_699,
          'process.executable.path': '/usr/bin/curl',
          ...ROOT,
          'process.parent.entity.id': '52699-13548670883299',
          'process.parent_pid': 52_699,
          'process.parent.executable.path': '/bin/bash',
          'process.command_args': ['/usr/bin/curl', 'https://ebpf.io/applications/#tetragon'],
          'process.parent.command_args': ['/bin/bash', '-c', 'curl https://ebpf.io/applications/#tetragon'],
          'process.working_directory': '/',
          'container.id': '551e161c47d8',
        },
      },
    },
    {
      index: 32,
      event: {
        name: 'process.exit',
        time: 1_642_609_742_515_000,
        attributes: {
          'process.entity.id': '115153-10575728350079',
          'process.pid': 115_153,
          'process.executable.path': '/usr/bin/curl',
          ...ROOT,
          // Absent in the line: zero.
          'process.exit.code': 0,
          'process.exit.signal': 0,
          'process.lifetime': 0.654,
        },
      },
    },
    {
      index: 41,
      event: {
        name: 'file.open',
        time: 1_713_061_094_376_304,
        attributes: {
          'process.entity.id': '64746-16817705012542',
          'process.pid': 64_746,
          'process.executable.path': '/bin/vi',
          ...ROOT,
          'file.path': '/etc/passwd',
          'file.path.origin': 'kernel',
          'file.open.access': 'write',
        },
      },
    },
    {
      index: 48,
      event: {
        name: 'process.credentials.change',
        time: 1_690_286_701_410_834,
        attributes: {
          'process.entity.id': '22386-1407304289717',
          'process.pid': 22_386,
          'process.executable.path': '/tmp/su',
          ...ROOT,
          'process.real_user.id': 0,
          'process.saved_user.id': 0,
          'process.group.id': 0,
          'process.capabilities.effective': '00000000a80425fb',
        },
      },
    },
    {
      index: 56,
      event: {
        name: 'network.listen',
        time: 1_642_609_732_646_000,
        attributes: {
          'process.entity.id': '115007-10565549985182',
          'process.pid': 115_007,
          'process.executable.path': '/usr/local/bin/python',
          ...ROOT,
          'network.transport': 'tcp',
          'network.type': 'ipv4',
          'network.local.address': '0.0.0.0',
          'network.local.port': 9_080,
        },
      },
    },
  ],
  tracee: [
    {
      index: 9,
      event: {
        name: 'file.open',
        time: 1_657_321_167_356_748,
        attributes: {
          'process.pid': 2_578_238,
          'process.user.id': 1000,
          'file.path': '/tmp/testing.txt',
          'file.path.origin': 'kernel',
          'file.open.access': 'write',
          'file.open.truncated': true,
          'file.inode': 1_966_101,
          'file.device': '259:1',
        },
      },
    },
    {
      index: 15,
      event: {
        name: 'file.open',
        time: 1_680_182_976_364_916,
        attributes: {
          'process.pid': 676,
          'process.user.id': 131,
          'file.path': '/proc/meminfo',
          'file.path.origin': 'kernel',
          'file.open.access': 'read',
          'file.open.truncated': false,
          'file.inode': 4_026_532_041,
          'file.device': '0:45',
        },
      },
    },
    {
      index: 16,
      event: {
        name: 'process.exec',
        time: 1_684_688_250_477_166,
        attributes: {
          'process.pid': 3_242_201,
          'process.executable.path': '/opt/cni/bin/bridge',
          ...ROOT,
          'process.command_args': ['/opt/cni/bin/bridge'],
          'process.parent_pid': 3_205_483,
          'process.real_user.id': 0,
        },
      },
    },
    {
      index: 17,
      event: {
        name: 'process.exec',
        time: 1_765_227_466_123_456,
        attributes: {
          'process.entity.id': '12345-1234567890',
          'process.pid': 12_345,
          'process.executable.path': '/usr/bin/ls',
          'process.user.id': 1000,
          'process.executable.inode': 1_966_101,
          'process.command_args': ['ls', '-la', '/tmp'],
          'process.parent.entity.id': '1234-987654321',
          'process.parent_pid': 1_234,
          'process.real_user.id': 1000,
        },
      },
    },
    {
      // Numbers in boxes, and the time in two parts; it has no number of its process on the host.
      index: 19,
      event: {
        name: 'process.exec',
        time: 1_732_454_400_123_456,
        attributes: {
          'process.executable.path': '/usr/bin/ls',
          'process.user.id': 1000,
          'process.command_args': ['ls', '-la', '/tmp'],
          'process.parent.entity.id': '1234-9876543210',
          'process.parent_pid': 1_234,
          'process.real_user.id': 1000,
        },
      },
    },
  ],
};
