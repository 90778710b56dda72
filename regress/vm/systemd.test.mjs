// ided as a service of Debian's systemd, by the unit that is installed.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Vm, VmDaemon } from './vm.mjs';
import { Disk } from './disk.mjs';

// What systemd thinks of the unit, 0 to 10: most of it is what isolation is there for,
// namespaces, mounts, users' accounts and groups, and that users debug their programs.
const EXPOSURE = 4.9;

let vm, d, disk, cookie, first;

// systemd starts and stops it; its log is a file.
class Service extends VmDaemon {
	constructor(machine, opts) {
		super(machine, { conf: '/etc/ided/ided.conf', log: 'file "/var/log/ided/ided.log"', ...opts });
	}

	async readLog() {
		this.log = await this.vm.ok('cat /var/log/ided/ided.log');
		return this.log;
	}

	async does(verb) {
		const r = await this.vm.run(`systemctl ${verb} ided`);
		assert.equal(r.status, 0, `${verb}: ${r.err}\n${await this.vm.ok(`systemctl status ided --no-pager; cat /run/ided.err /var/log/ided/ided.log; true`)}`);
	}

	async show(name) { return (await this.vm.ok(`systemctl show -P ${name} ided`)).trim(); }
}

before(async () => {
	vm = new Vm({ systemd: true });
	disk = new Disk(`${vm.dir}/disk`, 256);
	await disk.listen();
	vm.opts.disks = [disk];
	await vm.start();
	// What comes before there is a log, and a host that forwards.  How long it takes here
	// is not systemd's to judge.
	await vm.ok(`echo 1 >/proc/sys/net/ipv4/ip_forward; ip route add default via 10.0.2.2
		mount /dev/vda /var/ided && chmod 0711 /var/ided
		mkdir /run/systemd/system/ided.service.d
		printf '[Service]\\nStandardError=append:/run/ided.err\\nTimeoutSec=infinity\\n' >/run/systemd/system/ided.service.d/err.conf
		systemctl daemon-reload`);
	d = new Service(vm, { network: 'private', require: 'seccomp, cgroup, landlock, network, storage', isolation: 'storage 64M' });
	await d.write();
});
after(async () => {
	disk?.close();
	await vm?.stop();
});

// As a user sees it, at every stage.
async function works() {
	const r = await d.request('GET', '/ide/?folder=/home/ann', { headers: { cookie } });
	assert.equal(r.status, 200, r.body);
	assert.equal((await d.exec('ann', 'cat /tmp/file')).out, 'kept\n');
	assert.equal((await d.row('ann')).pid, first);
}

test('it starts, and holds all that it holds elsewhere', async () => {
	await d.does('start');
	assert.equal(await d.show('ActiveState'), 'active');
	const lacking = [...(await d.readLog()).matchAll(/isolation\.not-held what=("[^"]*"|\S+)/g)].map((m) => m[1]);
	assert.ok(lacking.every((l) => /Landlock for/.test(l)), lacking.join());
	assert.match(d.log, /isolation\.has cgroup="v2"/);
	await d.addUser('ann');
});

test('a user logs in, and works in a sandbox', async () => {
	cookie = await d.login('ann');
	assert.equal((await d.exec('ann', 'echo kept >/tmp/file')).status, 0);
	first = (await d.row('ann')).pid;
	await works();
	// What the unit takes away it takes from the sandbox's inside neither.
	const r = await d.exec('ann', `for f in null zero full random urandom tty ptmx; do test -c /dev/$f || echo no $f; done
		ls -d /proc/$$ >/dev/null && hostname && id -u && test -w /home/ann && cat /dev/urandom | head -c 1 | wc -c
		dd if=/dev/zero of=/home/ann/fill bs=1M count=80 2>&1 | grep -o 'space left\\|quota'; rm /home/ann/fill
		awk '/^(NoNewPrivs|Seccomp|CapBnd):/ { print $1, $2 }' /proc/self/status`);
	assert.equal(r.out, `ann\n${d.uids}\n1\nspace left\nCapBnd: 0000000000000000\nNoNewPrivs: 1\nSeccomp: 2\n`, r.err);
	// Its group is not the service's: that may end.
	assert.doesNotMatch(await vm.read(`/proc/${first}/cgroup`), /ided\.service/);
});

test('restarted: sessions and sandboxes are there', async () => {
	const pid = await d.show('MainPID');
	await d.does('restart');
	assert.notEqual(await d.show('MainPID'), pid);
	await works();
	assert.match(await d.readLog(), /sandbox\.adopted.*user="ann"/);
});

test('reloaded: the same process, another configuration; a bad one is refused', async () => {
	const pid = await d.show('MainPID');
	const group = (await vm.ok('ls -d /sys/fs/cgroup/ided-*')).trim();
	d.opts.isolation = 'storage 64M\n\tmemory 64M';
	await d.write();
	await d.does('reload');
	await vm.ok(`until [ "$(cat ${group}/$(cat /run/ided/sandbox/${d.uids}/group)/memory.max)" = ${64 << 20} ]; do sleep 0.1; done`);
	await vm.ok('cp /etc/ided/ided.conf /tmp/conf; echo nonsense >>/etc/ided/ided.conf');
	assert.equal((await vm.run('systemctl reload ided')).status, 1);
	await vm.ok('grep -q nonsense /run/ided.err; kill -HUP $(systemctl show -P MainPID ided); cp /tmp/conf /etc/ided/ided.conf');
	assert.equal(await d.show('MainPID'), pid);
	assert.equal(await d.show('ActiveState'), 'active');
	await works();
});

// Connections one after another, for as long as something goes on; each is waited for.
const knocking = (script) => vm.ok(`rm -f /tmp/over; (while ! test -e /tmp/over; do
		nc 10.0.2.15 8443 </dev/null >/dev/null 2>&1 && echo there || echo refused $?; done) >/tmp/knocks & ${script}
	touch /tmp/over; wait; sort /tmp/knocks | uniq -c`);

test('upgraded, and killed: systemd has the sockets meanwhile, nobody is refused', async () => {
	for (const [what, script] of [['upgrade', 'idectl -s /run/ided/ided.sock upgrade'], ['kill', 'kill -9 $(systemctl show -P MainPID ided)']]) {
		const pid = await d.show('MainPID');
		const knocks = await knocking(`${script}; until n=$(systemctl show -P MainPID ided); [ "$n" != ${pid} ] && [ "$n" != 0 ] &&
			[ "$(systemctl is-active ided)" = active ]; do sleep 0.1; done`);
		assert.match(knocks, /there/, what);
		assert.doesNotMatch(knocks, /refused/, what);
		assert.notEqual(await d.show('NFileDescriptorStore'), '0');
		await works();
	}
});

test('what systemd says of its security', async (t) => {
	const out = await vm.ok('systemd-analyze security --no-pager ided');
	const [, figure] = /Overall exposure level for ided\.service: ([\d.]+)/.exec(out);
	t.diagnostic(`exposure ${figure} of 10`);
	assert.ok(Number(figure) <= EXPOSURE, out);
});

test('stopped: the service ends, and users go on until it comes again', async () => {
	await d.does('stop');
	assert.equal(await d.show('ActiveState'), 'inactive');
	assert.equal(await d.show('Result'), 'success');
	await vm.ok(`test -d /proc/${first}`);
	await d.does('start');
	await works();
	await d.ok(['sandbox', 'stop', 'ann']);
	await vm.ok(`while test -d /proc/${first}; do sleep 0.1; done`);
});
