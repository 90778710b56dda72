// A VM of Debian's own kernel with the ided that was built, and its daemon as
// the tests of the system know it.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { Daemon, freePort, obj, password, sleep } from '../system/daemon.mjs';

export const rounds = Number(process.env.IDED_ROUNDS || 0); // of check-long
const image = `${obj}/regress/vm`;
// Emulated: ten times slower, and more where others use the machine as well.
const PATIENCE = 180000;
const BOOTS = 3, BOOT_PATIENCE = 90000;
const late = (since, ms) => Date.now() - since > ms * Math.max(1, os.loadavg()[0] / os.cpus().length);
// The kernel's check that the timer ticks counts turns of a loop: where the host takes
// the processor away meanwhile it finds none, and gives up.  Watchdogs likewise.
// What is emulated is work: 64 bits and what libraries look for, no vectors of 512 bits,
// no pages of five levels.  Of one processor alone it is a third less than of two.
const CPU = 'qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt,+pclmulqdq,+aes,+rdrand,+fsgsbase,+umip';
const BOOT = 'no_timer_check nowatchdog rcupdate.rcu_cpu_stall_suppress=1';

export class Vm {
	constructor(opts = {}) {
		this.opts = opts;
		this.console = '';
		this.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'ided-vm-'));
	}

	// cgroup: v2 (default), or none at first.
	static async boot(opts) {
		const vm = new Vm(opts);
		await vm.start();
		return vm;
	}

	// A VM whose processor others take may not get over its boot: that is told,
	// with the console, and tried again.
	async start() {
		for (let left = BOOTS; ; left--) {
			try {
				return await this.#boot();
			} catch (e) {
				if (!this.gone) await this.kill();
				if (left <= 1) throw e;
				console.error(`the VM is started again: ${e.message}`);
			}
		}
	}

	async #boot() {
		const o = this.opts;
		this.agent = await freePort();
		this.https = await freePort();
		this.console = '';
		const args = ['-accel', 'tcg,thread=multi', '-machine', 'pc', '-cpu', CPU, '-smp', String(o.cpus ?? 1),
			'-m', String(o.memory ?? 512), '-nodefaults', '-display', 'none', '-serial', 'stdio', '-no-reboot',
			'-kernel', `${image}/vmlinuz`, '-initrd', `${image}/initrd${o.systemd ? '-systemd' : ''}`,
			'-append', `console=ttyS0 loglevel=7 panic=-1 ${BOOT} cgroup=${o.cgroup ?? 'v2'}${o.systemd ? ' manager=systemd systemd.log_target=console systemd.log_level=warning' : ''}`,
			'-netdev', `user,id=n,restrict=on,hostfwd=tcp:127.0.0.1:${this.agent}-:7,hostfwd=tcp:127.0.0.1:${this.https}-:8443`,
			'-device', 'virtio-net-pci,netdev=n,romfile='];
		for (const d of o.disks ?? [])
			args.push('-drive', `file=${d.drive},format=raw,if=virtio`);
		this.child = spawn('qemu-system-x86_64', args, { stdio: ['ignore', 'pipe', 'pipe'] });
		for (const s of [this.child.stdout, this.child.stderr]) {
			s.setEncoding('utf8');
			s.on('data', (d) => {
				this.console += d;
				if (process.env.IDED_TEST_LOG) process.stderr.write(d);
			});
		}
		this.ended = new Promise((r) => this.child.on('exit', r));
		this.gone = false;
		this.ended.then(() => { this.gone = true; });
		for (const since = Date.now(); !/vm: ready/.test(this.console); await sleep(50)) {
			if (this.gone) throw new Error(`the VM ended:\n${this.console}`);
			if (late(since, BOOT_PATIENCE)) throw new Error(`the VM does not boot:\n${this.console.slice(-4000)}`);
		}
		return this;
	}

	// The power is cut: nothing in the VM gets to hear of it.
	async kill() {
		this.child.kill('SIGKILL');
		await this.ended;
	}

	async stop() {
		if (this.child && !this.gone) await this.kill();
		fs.rmSync(this.dir, { recursive: true, force: true });
	}

	// A shell script inside.  `onOut' sees its output as it comes.
	run(script, { input = '', timeout = PATIENCE, onOut } = {}) {
		return new Promise((resolve, reject) => {
			const s = net.connect(this.agent, '127.0.0.1');
			const r = { status: null, out: '', err: '' };
			let buf = Buffer.alloc(0);
			const since = Date.now();
			const t = setInterval(() => {
				if (!late(since, timeout)) return;
				clearInterval(t);
				s.destroy();
				reject(new Error(`not within ${timeout} ms in the VM: ${script}\n${r.out}${r.err}\n${this.console.slice(-2000)}`));
			}, 500);
			const head = Buffer.alloc(4);
			head.writeUInt32BE(Buffer.byteLength(script));
			s.write(Buffer.concat([head, Buffer.from(script), Buffer.from(input)]));
			s.end();
			s.on('data', (d) => {
				buf = Buffer.concat([buf, d]);
				while (buf.length >= 5 && buf.length >= 5 + buf.readUInt32BE(1)) {
					const kind = String.fromCharCode(buf[0]), body = buf.subarray(5, 5 + buf.readUInt32BE(1));
					if (kind === '1') { r.out += body.toString('utf8'); onOut?.(r.out); }
					if (kind === '2') r.err += body.toString('utf8');
					if (kind === 'x') r.status = body.readUInt32BE(0);
					buf = buf.subarray(5 + body.length);
				}
			});
			s.on('error', () => {});
			s.on('close', () => { clearInterval(t); resolve(r); });
		});
	}

	async ok(script, opts) {
		const r = await this.run(script, opts);
		if (r.status !== 0) throw new Error(`in the VM: ${script}: ${r.status}\n${r.out}${r.err}${this.console.slice(-2000)}`);
		return r.out;
	}

	// What runs under uids from `first' on, as lines of pid and name; of how many uids.
	processesOf(first, n = 1) {
		return this.ok(`cat /proc/[0-9]*/status 2>/dev/null |
			awk '/^Name:/ { name = $2 } /^State:/ { state = $2 } /^Pid:/ { pid = $2 } /^Uid:/ && state != "Z" && $2 >= ${first} && $2 < ${first + n} { print pid, name }'`);
	}

	async read(file) { return (await this.ok(`cat '${file}'`)).trim(); }
}

const quote = (s) => `'${s.replaceAll("'", "'\\''")}'`;

// ided in the VM: what talks to it is the Daemon of the system's tests.
export class VmDaemon extends Daemon {
	constructor(vm, opts = {}) {
		super(opts);
		fs.rmSync(this.dir, { recursive: true });
		this.vm = vm;
		this.port = vm.https;
		this.uids = 200000;
	}

	async write() {
		const o = this.opts;
		await this.vm.ok(`cat >${o.conf ?? '/etc/ided.conf'}`, { input: `
data "/var/ided"
runtime "/run/ided"
log to ${o.log ?? 'stderr'} level info
listen on 10.0.2.15 port 8443 tls
tls { certificate "/etc/server.crt"
	key "/etc/server.key" }
prefork { spare 2 }
auth { session lifetime 24h idle 2h max 50
	argon2 memory 19M passes 1 lanes 1 helpers 1
	${o.auth ?? ''} }
ratelimit { login ${o.logins ?? '1000 per 15m'} }
isolation namespace { network ${o.network ?? 'none'}
	uids ${this.uids}:1000
	require ${o.require ?? 'seccomp, cgroup, landlock'}
	${o.isolation ?? ''} }
ide "code" { path "/opt/ide" }
${o.extra ?? ''}
` });
	}

	// Its own log, and how it ended, are files there.
	async start() {
		await this.write();
		await this.vm.ok(`rm -f /tmp/ided.end; cp /dev/null /tmp/ided.log
(setsid ided -d -f /etc/ided.conf 2>/tmp/ided.log </dev/null; echo $? >/tmp/ided.end) >/dev/null 2>&1 &`);
		// Waited for inside: who asks from outside takes the processor away from it.
		const end = await this.vm.ok('until grep -q "ided\\.ready" /tmp/ided.log || test -e /tmp/ided.end; do sleep 0.1; done; cat /tmp/ided.end 2>/dev/null; true');
		await this.readLog();
		if (end !== '') throw new Error(`ided ended (${end.trim()}):\n${this.log}`);
		return this;
	}

	async readLog() {
		this.log = await this.vm.ok('cat /tmp/ided.log');
		return this.log;
	}

	async ctl(args, input, { timeout } = {}) {
		return this.vm.run(`idectl -s /run/ided/ided.sock ${args.map(quote).join(' ')}`, { input, timeout });
	}

	async ok(args, input, opts) {
		const r = await this.ctl(args, input, opts);
		if (r.status !== 0)
			throw new Error(`idectl ${args.join(' ')}: ${r.status} ${r.err}${r.out}\n${(await this.readLog()).slice(-3000)}`);
		return r.out;
	}

	async addUser(name, role = 'user', pw = password) {
		return this.ok(['user', 'add', '-r', role, name], `${pw}\n`);
	}

	// A line of shell in a user's sandbox.
	exec(user, script, opts = {}) {
		return this.ctl(['sandbox', 'exec', user, '--', 'sh', '-c', script], opts.input, opts);
	}

	async sandboxes() {
		const r = await this.ctl(['-j', 'sandbox', 'list']);
		return r.status === 0 ? JSON.parse(r.out) : [];
	}

	async row(user) { return (await this.sandboxes()).find((s) => s.user === user); }

	// The pid of one of its processes, by title.
	async pidOf(title) {
		const { out } = await this.vm.run(`grep -l '^ided: ${title}' /proc/[0-9]*/cmdline`);
		const m = /^\/proc\/(\d+)\//.exec(out);
		return m ? Number(m[1]) : null;
	}

	async stop() {
		await this.vm.ok('idectl -s /run/ided/ided.sock stop; until test -e /tmp/ided.end; do sleep 0.1; done');
	}
}

export async function startDaemon(vm, { users = ['ann', 'bob'], ...opts } = {}) {
	const d = new VmDaemon(vm, opts);
	await d.start();
	for (const u of users) await d.addUser(u);
	return d;
}
