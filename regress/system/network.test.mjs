// The network of sandboxes: a daemon in a network namespace that is a host, with an
// outside of servers behind it.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { spawn, spawnSync } from 'node:child_process';
import { Daemon, ended, startDaemon, waitFor, sleep } from './daemon.mjs';
import { Internet, addresses as at, supported } from './internet.mjs';

const rounds = Number(process.env.IDED_ROUNDS || 5);
const skip = supported ? false : 'this kernel has no nftables';
let world, d;
const hosts = {}; // what belongs to the host alone, before and after

// In a sandbox: each attempt is "tcp ADDRESS PORT" or "udp ADDRESS PORT", and its
// answer what came, or the code of the error.
const inside = `
const net = require('net'), dgram = require('dgram');
const attempt = (line) => new Promise((done) => {
	const [proto, host, port] = line.split(' ');
	const t = setTimeout(() => done('silence'), 4000);
	const end = (v) => { clearTimeout(t); done(v); };
	if (proto === 'tcp') {
		const s = net.connect({ host, port: Number(port) });
		s.on('error', (e) => end(e.code)).on('data', (b) => { end(String(b).trim()); s.destroy(); });
	} else {
		const s = dgram.createSocket(host.includes(':') ? 'udp6' : 'udp4');
		s.on('error', (e) => end(e.code)).on('message', (m) => { end(String(m)); s.close(); });
		s.connect(Number(port), host, () => s.send('hello'));
	}
});
(async () => { console.log(JSON.stringify(await Promise.all(process.argv.slice(1).map(attempt)))); process.exit(0); })();
`;
const node = '/opt/ide/node/bin/node';
const exec = (daemon, user, ...args) => daemon.ctl(['sandbox', 'exec', user, '--', ...args]);
function ask(user, lines, daemon = d) {
	const r = exec(daemon, user, node, '-e', inside, ...lines);
	assert.equal(r.status, 0, `${r.err}${r.out}\n${daemon.log.slice(-2000)}`);
	const got = JSON.parse(r.out);
	return Object.fromEntries(lines.map((l, i) => [l, got[i]]));
}
const tables = () => world.sh('host', 'nft list tables').trim().split('\n').filter(Boolean);
// Of users; one that has no user yet is called otherwise.
const links = () => world.sh('host', 'ip -o link').match(/\bide\w{4}[0-9a-f]{8}(?=[@:])/g) || [];
const spares = () => world.sh('host', 'ip -o link').match(/\bide\w{4}s\w{7}(?=[@:])/g) || [];
const routes = () => (world.sh('host', 'ip route; ip -6 route').match(/^\S+ dev ide\w+/gm) || []);
const snapshot = () => world.sh('host', `nft list table inet hostown; ip addr show up0 | grep -vE 'valid_lft|fe80'
	ip route | grep -v ide; for x in all default up0; do for p in ipv4 ipv6; do
	cd /proc/sys/net/$p/conf/$x; grep -s . forwarding rp_filter accept_ra route_localnet send_redirects || true; done; done`);
const start = (opts = {}) => startDaemon({ users: ['ann', 'bob'], enter: world.enter('host'), ...opts });

before(async () => {
	if (skip) return;
	world = new Internet();
	await world.start();
	world.sh('host', 'nft -f -', `table inet hostown {
	chain input {
		type filter hook input priority 0; policy accept;
		tcp dport 7 drop
	}
}
`);
	hosts.before = snapshot();
	// Services of the host's own, on every address that it has.
	const serve = `for (const p of [22, 5432, 8080]) require('net').createServer((s) => s.end('the host\\n')).listen(p, '::', () => console.log('on'));
		for (const a of ['${at.host}', '${at.host6}']) { const u = require('dgram').createSocket(a.includes(':') ? 'udp6' : 'udp4');
			u.on('message', (m, f) => u.send('the host', f.port, f.address)).bind(9, a); }`;
	hosts.servers = spawn(world.enter('host')[0], [...world.enter('host').slice(1), process.execPath, '-e', serve], { stdio: ['ignore', 'pipe', 'inherit'] });
	await new Promise((r) => hosts.servers.stdout.once('data', r));
	d = await start({ isolation: 'connections 64\nspare 1' });
});
after(async () => {
	await d?.stop();
	hosts.servers?.kill('SIGKILL');
	world?.stop();
});

test('the outside is reached, with the address of the host', { skip }, () => {
	assert.deepEqual(ask('ann', [`tcp ${at.web} 80`, `tcp ${at.web6} 443`, `udp ${at.web} 9`, `udp ${at.web6} 9`]), {
		[`tcp ${at.web} 80`]: `you are ::ffff:${at.host}`, [`tcp ${at.web6} 443`]: `you are ${at.host6}`,
		[`udp ${at.web} 9`]: 'heard hello', [`udp ${at.web6} 9`]: 'heard hello' });
});

test('the host, metadata, private and link-local addresses are not', { skip }, () => {
	const tcp = [`${at.host} 22`, `${at.host} 8080`, `${at.host6} 22`, '127.0.0.1 22', '169.254.1.1 22', '10.0.0.1 80',
		`${at.internal} 80`, `${at.metadata} 80`, `${at.metadata6} 80`, '172.16.0.1 80', '192.168.1.1 80', '100.100.100.200 80',
		'168.63.129.16 80', '192.0.0.192 80', '224.0.0.1 80', '240.0.0.1 80', '0.0.0.0 22', '64:ff9b::a00:1 80',
		'2002:a00:1:: 80', '::ffff:10.20.0.5 80'].map((x) => `tcp ${x}`);
	const got = ask('ann', tcp);
	for (const line of tcp) assert.match(got[line], /^(ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|EACCES)$/, line);
	// What is refused is refused by the host's side at once; that nobody was there is no proof.
	for (const x of [`${at.host} 22`, `${at.internal} 80`, `${at.metadata} 80`, `${at.metadata6} 80`])
		assert.equal(got[`tcp ${x}`], 'ECONNREFUSED', x);
	assert.doesNotMatch(JSON.stringify(ask('ann', [`udp ${at.host} 9`, `udp ${at.internal} 9`, `udp ${at.host6} 9`])), /the host|heard/);
	assert.doesNotMatch(world.heard, new RegExp(`tcp \\S*(${at.internal}|${at.metadata}|${at.metadata6}) `));
	// An address that the host is given later is its own as well.
	world.sh('host', 'ip addr add 198.51.100.77/32 dev lo');
	assert.deepEqual(ask('ann', ['tcp 198.51.100.77 22']), { 'tcp 198.51.100.77 22': 'ECONNREFUSED' });
	world.sh('host', 'ip addr del 198.51.100.77/32 dev lo');
});

test('no user reaches another one, nor does the host', { skip }, async () => {
	const bob = spawn(`${d.obj}/idectl`, ['-s', `${d.runtime}/ided.sock`, 'sandbox', 'exec', 'bob', '--', node, '-e',
		"require('net').createServer((s) => s.end('bob')).listen(3000, '::', () => console.log('on'));" +
		"const u = require('dgram').createSocket('udp6'); u.on('message', (m, f) => u.send('bob', f.port, f.address)).bind(3009);"], { stdio: ['pipe', 'pipe', 'inherit'] });
	await new Promise((r) => bob.stdout.once('data', r));
	const uid = d.sandboxes().find((s) => s.user === 'bob').uid;
	const ip = `100.${64 + ((uid >> 16) & 63)}.${(uid >> 8) & 255}.${uid & 255}`;
	const ip6 = `fd69:6465:6400::${(uid >>> 16).toString(16)}:${(uid & 0xffff).toString(16)}`;
	const lines = [`tcp ${ip} 3000`, `udp ${ip} 3009`, `tcp ${ip6} 3000`];
	// Bob's own, for a control.
	assert.deepEqual(ask('bob', lines), { [lines[0]]: 'bob', [lines[1]]: 'bob', [lines[2]]: 'bob' });
	const got = ask('ann', lines);
	assert.equal(got[lines[0]], 'ECONNREFUSED');
	assert.notEqual(got[lines[1]], 'bob');
	assert.equal(got[lines[2]], 'ECONNREFUSED');
	const script = `const s = require('net').connect(3000, '${ip}'); s.setTimeout(1500, () => { console.log('silence'); process.exit(); });
		s.on('data', (b) => { console.log(String(b)); process.exit(); }).on('error', (e) => { console.log(e.code); process.exit(); });`;
	for (const n of ['host', 'outside']) {
		if (n === 'outside') world.sh('outside', `ip route add 100.64.0.0/10 via ${at.host}`);
		const r = spawnSync(world.enter(n)[0], [...world.enter(n).slice(1), process.execPath, '-e', script], { encoding: 'utf8' });
		assert.doesNotMatch(r.stdout, /bob/, n);
		assert.match(r.stdout, /silence|EACCES|EPERM|EHOSTUNREACH/, n);
	}
	world.sh('outside', 'ip route del 100.64.0.0/10');
	bob.kill();
});

test('nobody sends with an address that is not the own', { skip: skip || (!fs.existsSync('/usr/bin/python3') && 'no python3 to bind foreign addresses with') }, async () => {
	const send = `
import socket, sys
for fam, src, dst, word in ((socket.AF_INET6, "::", "${at.web6}", "control"), (socket.AF_INET6, "2001:db8:9::9", "${at.web6}", "foreign"),
    (socket.AF_INET6, "${at.host6}", "${at.web6}", "hosts"), (socket.AF_INET6, "fd69:6465:6400::1", "${at.web6}", "neighbours"),
    (socket.AF_INET, "0.0.0.0", "${at.web}", "control4"), (socket.AF_INET, "198.51.100.99", "${at.web}", "foreign4")):
    s = socket.socket(fam, socket.SOCK_DGRAM)
    try:
        s.setsockopt(socket.IPPROTO_IPV6 if fam == socket.AF_INET6 else socket.IPPROTO_IP, 78 if fam == socket.AF_INET6 else 15, 1)
        s.bind((src, 0))
        s.sendto(word.encode(), (dst, 9))
        print(word, "sent")
    except OSError as e:
        print(word, e.errno)
for fam in (socket.AF_INET, socket.AF_INET6):
    try:
        socket.socket(fam, socket.SOCK_RAW, 255)
        print("raw")
    except PermissionError:
        print("no raw socket")
`;
	const r = exec(d, 'ann', 'python3', '-c', send);
	assert.equal(r.status, 0, r.err);
	assert.match(r.out, /control sent[^]*foreign sent[^]*hosts sent[^]*neighbours sent[^]*control4 sent/, 'they did leave the sandbox');
	assert.equal(r.out.match(/no raw socket/g)?.length, 2);
	await waitFor('the controls', () => /udp "control"/.test(world.heard) && /udp "control4"/.test(world.heard));
	await sleep(100);
	assert.doesNotMatch(world.heard, /foreign|hosts|neighbours/);
});

test('names are found, by the name server that the host has', { skip }, async () => {
	const resolv = exec(d, 'ann', 'cat', '/etc/resolv.conf').out;
	assert.equal(resolv, `# made by ided\nsearch test\nnameserver ${at.dns}\n`);
	assert.match(exec(d, 'ann', 'getent', 'ahostsv4', 'web.test').out, new RegExp(`^${at.web}\\s`));
	assert.match(exec(d, 'ann', 'getent', 'ahostsv6', 'web').out, new RegExp(`^${at.web6}\\s`));
	assert.notEqual(exec(d, 'ann', 'getent', 'hosts', 'nobody.test').status, 0);
	await waitFor('the name server to be asked', () => /dns from/.test(world.heard));
	// Its other ports are an internal machine's.
	assert.deepEqual(ask('ann', [`tcp ${at.dns} 80`]), { [`tcp ${at.dns} 80`]: 'ECONNREFUSED' });
	const r = ask('ann', ['tcp web.test 80']);
	assert.match(r['tcp web.test 80'], /^you are/);
});

test('traffic is counted, for each user', { skip }, async () => {
	const row = (user) => d.sandboxes().find((s) => s.user === user);
	for (const user of ['ann', 'bob']) assert.equal(exec(d, user, 'true').status, 0);
	const before = { ann: row('ann'), bob: row('bob') };
	const size = 3000000;
	const r = exec(d, 'ann', node, '-e', `let n = 0; const s = require('net').connect(80, '${at.web}'); s.write('${size}');
		s.on('data', (b) => { n += b.length; }).on('end', () => { console.log(n); process.exit(); });`);
	assert.ok(Number(r.out) >= size, r.err);
	const after = { ann: row('ann'), bob: row('bob') };
	const got = after.ann.received - before.ann.received;
	assert.ok(got > size && got < size * 1.2, `${got} of ${size}`);
	assert.ok(after.ann.sent > before.ann.sent && after.ann.sent - before.ann.sent < size / 4);
	assert.ok(after.bob.received - before.bob.received < 10000);
	assert.match(d.ok(['sandbox', 'show', 'ann']), /received\s+\d+M/);
});

test('connections at once are bounded', { skip }, () => {
	const r = exec(d, 'ann', node, '-e', `let ok = 0, no = 0; for (let i = 0; i < 100; i++) { const s = require('net').connect(80, '${at.web}');
		s.on('data', () => end(++ok)).on('error', () => end(++no)); } const end = () => { if (ok + no === 100) { console.log(ok, no); process.exit(); } };`);
	const [ok, no] = r.out.trim().split(' ').map(Number);
	// Those of the tests before may not be forgotten yet.
	assert.ok(ok > 16 && ok <= 64 && ok + no === 100, r.out + r.err);
});

test('rules of the configuration: the first that fits decides; a reload is for those that run', { skip }, async () => {
	const table = `${d.dir}/blocked`;
	fs.writeFileSync(table, `# addresses\n${at.other}/32\n2001:db8:3::/48\n`);
	const reload = (rules) => { d.opts.isolation = `connections 64\nspare 1\n${rules}`; d.write(); return d.ctl(['reload']); };
	// One that is open while its end is decided.
	const held = spawn(`${d.obj}/idectl`, ['-s', `${d.runtime}/ided.sock`, 'sandbox', 'exec', 'ann', '--', node, '-e',
		`const s = require('net').connect(80, '${at.other}'); s.on('data', () => console.log('open')).on('error', (e) => { console.log(e.code); process.exit(); });
		setInterval(() => s.write('0'), 50);`], { stdio: ['pipe', 'pipe', 'inherit'] });
	let said = '';
	held.stdout.on('data', (b) => { said += b; });
	await waitFor('the connection', () => /open/.test(said));
	const pid = d.sandboxes().find((s) => s.user === 'ann').pid;
	let r = reload(`table <blocked> file "${table}"
		table <inner> { 10.20/16, 10.21/16 }
		egress deny to <blocked>
		egress allow to ${at.internal} port 80 tcp
		egress deny to <inner>
		egress allow to ${at.host} port 5432
		egress allow to any port 443 tcp
		egress allow to any port 8080-8090
		egress deny to any tcp`);
	assert.equal(r.status, 0, r.err);
	await waitFor('the end of what is no longer allowed', () => /ECONNRESET|EPIPE/.test(said));
	const want = { [`tcp ${at.other} 443`]: 'ECONNREFUSED', [`tcp ${at.internal} 80`]: `you are ::ffff:${at.host}`,
		[`tcp ${at.internal} 443`]: 'ECONNREFUSED', [`tcp ${at.host} 5432`]: 'the host', [`tcp ${at.host} 22`]: 'ECONNREFUSED',
		[`tcp ${at.host} 8080`]: 'ECONNREFUSED', [`tcp ${at.web} 443`]: `you are ::ffff:${at.host}`, [`tcp ${at.web} 80`]: 'ECONNREFUSED',
		[`tcp ${at.web} 8080`]: `you are ::ffff:${at.host}`, [`tcp ${at.web6} 80`]: 'ECONNREFUSED', [`udp ${at.web} 9`]: 'heard hello',
		[`tcp ${at.metadata} 443`]: 'ECONNREFUSED', [`tcp ${at.dns} 53`]: 'silence' };
	assert.deepEqual(ask('ann', Object.keys(want)), want);
	assert.equal(d.sandboxes().find((s) => s.user === 'ann').pid, pid);
	// What is wrong is told, and nothing changes.
	fs.appendFileSync(table, 'example.com\n');
	const rules = world.sh('host', 'nft list ruleset');
	r = reload(`table <blocked> file "${table}"\negress allow to any`);
	assert.notEqual(r.status, 0);
	assert.match(r.err, /blocked": line 4: expected an address such as 192\.0\.2\.0\/24, got "example\.com"/);
	assert.equal(world.sh('host', 'nft list ruleset').replace(/elements = \{[^}]*ct count[^}]*\}/g, ''), rules.replace(/elements = \{[^}]*ct count[^}]*\}/g, ''));
	// Name servers change for those that run as well.
	world.resolv('nameserver 127.0.0.53\nnameserver ::1\nnameserver fe80::1%up0\n');
	r = reload('resolver 10.20.0.53 2001:db8:2::10');
	assert.equal(r.status, 0, r.err);
	assert.equal(exec(d, 'ann', 'cat', '/etc/resolv.conf').out, '# made by ided\nnameserver 10.20.0.53\nnameserver 2001:db8:2::10\n');
	assert.equal(reload('').status, 0);
	await waitFor('the warning', () => /network\.resolver.*resolver ADDRESS/.test(d.log));
	world.sh('host', 'mkdir -p /run; mount -t tmpfs none /run; mkdir -p /run/systemd/resolve; echo "nameserver 10.20.0.53" >/run/systemd/resolve/resolv.conf');
});

test('two daemons side by side do not meet', { skip }, async () => {
	const e = await start({ users: ['eve'] });
	try {
		assert.equal(tables().filter((t) => /ided_/.test(t)).length, 2);
		assert.match(ask('eve', [`tcp ${at.web} 80`], e)[`tcp ${at.web} 80`], /^you are/);
		const uid = d.sandboxes().find((s) => s.user === 'ann').uid;
		const ip = `100.${64 + ((uid >> 16) & 63)}.${(uid >> 8) & 255}.${uid & 255}`;
		const listening = spawn(`${d.obj}/idectl`, ['-s', `${d.runtime}/ided.sock`, 'sandbox', 'exec', 'ann', '--', node, '-e',
			"require('net').createServer((s) => s.end('ann')).listen(3000, () => console.log('on'))"], { stdio: ['pipe', 'pipe', 'inherit'] });
		await new Promise((r) => listening.stdout.once('data', r));
		assert.deepEqual(ask('eve', [`tcp ${ip} 3000`], e), { [`tcp ${ip} 3000`]: 'ECONNREFUSED' });
		listening.kill();
		assert.match(exec(e, 'eve', 'cat', '/etc/resolv.conf').out, /nameserver 10\.20\.0\.53/, 'what systemd-resolved was told');
	} finally {
		await e.stop();
	}
	assert.equal(tables().filter((t) => /ided_/.test(t)).length, 1, 'the other one is left alone');
	assert.match(ask('ann', [`tcp ${at.web} 80`])[`tcp ${at.web} 80`], /^you are/);
});

test('ided dies, its rules stand; those that run are found again with their network', { skip }, async () => {
	const row = d.sandboxes().find((s) => s.user === 'ann');
	const isolation = d.role('isolation')[0].pid;
	process.kill(isolation, 'SIGKILL');
	await d.ended;
	assert.equal(tables().filter((t) => /ided_/.test(t)).length, 1, 'nobody goes out without the rules');
	assert.equal(links().length, 2);
	await d.start();
	const again = d.sandboxes().find((s) => s.user === 'ann');
	assert.equal(again.pid, row.pid);
	assert.ok(again.received >= row.received && row.received > 1000000, 'the count goes on');
	assert.match(ask('ann', [`tcp ${at.web} 80`])[`tcp ${at.web} 80`], /^you are/);
	assert.deepEqual(ask('ann', [`tcp ${at.host} 22`]), { [`tcp ${at.host} 22`]: 'ECONNREFUSED' });
	assert.doesNotMatch(d.log, /isolation\.not-held what="(network|way out)/);
});

test('what ends is cleared: its interface, its routes, and what holds them', { skip }, async () => {
	const { pid, uid } = d.sandboxes().find((s) => s.user === 'bob');
	// Somebody keeps the network namespace alive.
	const holder = spawn('nsenter', ['-t', String(pid), '-n', 'sleep', '1000'], { stdio: 'ignore' });
	await waitFor('the holder', () => fs.existsSync(`/proc/${holder.pid}`) &&
		fs.readlinkSync(`/proc/${holder.pid}/ns/net`) === fs.readlinkSync(`/proc/${pid}/ns/net`));
	const name = links().find((l) => l.endsWith(uid.toString(16).padStart(8, '0')));
	d.ok(['sandbox', 'stop', 'bob']);
	await waitFor('the end of the interface', () => !links().includes(name));
	assert.equal(routes().filter((r) => r.includes(name)).length, 0);
	assert.match(ask('bob', [`tcp ${at.web} 80`])[`tcp ${at.web} 80`], /^you are/, 'a new one has it again');
	holder.kill('SIGKILL');
	// A predecessor that was killed, and whose sandbox was killed after it, with its namespace held.
	const two = d.sandboxes().find((s) => s.user === 'bob');
	const second = spawn('nsenter', ['-t', String(two.pid), '-n', 'sleep', '1000'], { stdio: 'ignore' });
	await waitFor('the holder', () => fs.readlinkSync(`/proc/${second.pid}/ns/net`) === fs.readlinkSync(`/proc/${two.pid}/ns/net`));
	for (const p of d.tree()) try { process.kill(p.pid, 'SIGKILL'); } catch { /* gone */ }
	await d.ended;
	process.kill(two.pid, 'SIGKILL');
	await waitFor('its end', () => ended(two.pid));
	assert.ok(links().includes(name), 'the interface is still there');
	await d.start();
	await waitFor('it to be cleared', () => !links().includes(name));
	assert.equal(links().length, 1, "ann's is not touched");
	second.kill('SIGKILL');
	// One whose sandbox is not even remembered, and ones that are not ours.
	const ghost = name.replace(/.{8}$/, (d.uids + 7).toString(16).padStart(8, '0'));
	const key = name.slice(3, 7);
	const others = [`ide${[...key].reverse().join('')}x`.slice(0, 7) + ghost.slice(7), `ide${key}`, 'ide0'];
	world.sh('host', [ghost, ...others].map((n, i) => `ip link add name ${n} type veth peer name peer${i}`).join('\n'));
	process.kill(d.role('isolation')[0].pid, 'SIGKILL');
	await d.ended;
	await d.start();
	await d.says(new RegExp(`network\\.cleared.*${ghost}`));
	for (const n of others) world.sh('host', `ip link del ${n}`); // fails if it is gone
	assert.equal(links().length, 1);
});

test(`isolation is killed at any moment, ${rounds} times: nothing leaks`, { skip }, async () => {
	for (let i = 0; i < rounds; i++) {
		const p = spawn(`${d.obj}/idectl`, ['-s', `${d.runtime}/ided.sock`, 'sandbox', 'exec', 'bob', '--', 'true'], { stdio: 'ignore' });
		const gone = new Promise((r) => p.on('exit', r));
		await sleep(Math.random() * 60);
		process.kill(d.role('isolation')[0].pid, 'SIGKILL');
		await Promise.all([d.ended, gone]);
		await d.start();
		if (d.sandboxes().some((s) => s.user === 'bob')) d.ok(['sandbox', 'stop', 'bob']);
		await waitFor('only that of ann to be left', () => links().length === 1 && routes().length === 2 && spares().length <= 1);
	}
	assert.equal(tables().filter((t) => /ided_/.test(t)).length, 1);
	assert.match(ask('ann', [`tcp ${at.web} 80`])[`tcp ${at.web} 80`], /^you are/);
});

test('network none takes the way out from those that run; private gives it to those that start', { skip }, async () => {
	d.opts.network = 'none';
	d.write();
	d.ok(['reload']);
	await waitFor('the interfaces to go', () => links().length === 0);
	assert.equal(ask('ann', [`tcp ${at.web} 80`])[`tcp ${at.web} 80`], 'ENETUNREACH');
	d.ok(['sandbox', 'stop', 'ann']);
	assert.equal(ask('ann', [`tcp ${at.web} 80`])[`tcp ${at.web} 80`], 'ENETUNREACH');
	assert.equal(exec(d, 'ann', 'cat', '/etc/resolv.conf').out, '# no network\n');
	assert.deepEqual([...exec(d, 'ann', 'cat', '/proc/net/dev').out.matchAll(/^\s*(\S+):/gm)].map((m) => m[1]), ['lo']);
	d.opts.network = 'private';
	d.write();
	d.ok(['reload']);
	d.ok(['sandbox', 'stop', 'ann']);
	assert.match(ask('ann', [`tcp ${at.web} 80`])[`tcp ${at.web} 80`], /^you are/);
});

test('after the end nothing is left, and what is the host\'s is as it was', { skip }, async () => {
	await d.stop({ keep: true });
	assert.deepEqual(tables(), ['table inet hostown']);
	assert.deepEqual(links(), []);
	await waitFor('those of spares to go', () => spares().length === 0);
	assert.deepEqual(routes(), []);
	assert.equal(snapshot(), hosts.before);
	assert.ok(!fs.existsSync(`${d.runtime}/resolv.conf`));
});

// A start that must fail: its exit code and what it said.
async function refused(opts) {
	const before = tables();
	const e = new Daemon({ enter: world.enter('host'), ...opts });
	await e.prepare();
	const r = spawnSync(e.opts.enter[0], [...e.opts.enter.slice(1), `${e.obj}/ided`, '-d', '-f', e.conf], { encoding: 'utf8', timeout: 20000, env: { PATH: process.env.PATH } });
	assert.deepEqual(tables(), before);
	fs.rmSync(e.dir, { recursive: true });
	return r;
}

async function gone(e, others) {
	await e.stop();
	assert.deepEqual(tables(), others);
}

test('what is lacking is named at start, and require makes it fatal', { skip }, async () => {
	const others = tables();
	world.sh('host', `ip route add 100.64.0.0/10 via ${at.gate}`);
	let r = await refused({ isolation: 'require network' });
	assert.equal(r.status, 1);
	assert.match(r.stderr, /requires: sandboxes would have addresses that the host has a route to, 100\.64\.0\.0\/10 by up0; set another network-pool/);
	let e = await start({ users: ['eve'] });
	assert.match(e.log, /isolation\.not-held what="network private: it works as none".*another network-pool/);
	assert.equal(ask('eve', [`tcp ${at.web} 80`], e)[`tcp ${at.web} 80`], 'ENETUNREACH');
	await gone(e, others);
	e = await start({ users: ['eve'], isolation: 'require network\nnetwork-pool 10.64.0.0/10 fd00:77::/64' });
	assert.match(ask('eve', [`tcp ${at.web} 80`], e)[`tcp ${at.web} 80`], /^you are/);
	await gone(e, others);
	world.sh('host', 'ip route del 100.64.0.0/10; sysctl -qw net.ipv4.ip_forward=0');
	r = await refused({ isolation: 'require network' });
	assert.equal(r.status, 1);
	assert.match(r.stderr, /requires: the host does not forward, net\.ipv4\.ip_forward is 0: sysctl -w/);
	e = await start({ users: ['eve'] });
	assert.match(e.log, /isolation\.not-held what="way out of network private".*ip_forward is 0/);
	// It works from the moment that the host forwards; only where it must.
	world.sh('host', 'sysctl -qw net.ipv4.conf.up0.forwarding=1');
	assert.match(ask('eve', [`tcp ${at.web} 80`], e)[`tcp ${at.web} 80`], /^you are/);
	await gone(e, others);
	world.sh('host', 'sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=0');
	e = await start({ users: ['eve'], network: 'private' });
	assert.match(e.log, /network\.ready.*pool6="none"/);
	assert.deepEqual(ask('eve', [`tcp ${at.web6} 80`, `tcp ${at.web} 80`], e),
		{ [`tcp ${at.web6} 80`]: 'ENETUNREACH', [`tcp ${at.web} 80`]: `you are ::ffff:${at.host}` });
	await gone(e, others);
	e = await start({ users: ['eve'], network: 'host' });
	assert.match(e.log, /isolation\.weaker.*network host/);
	assert.equal(ask('eve', [`tcp ${at.host} 22`], e)[`tcp ${at.host} 22`], 'the host');
	assert.deepEqual(tables(), others);
	await gone(e, others);
});
