// What a host has around it, in network namespaces of the test's own: a host that
// ided runs on, and an outside with servers.  Nothing of the machine's own network
// is touched.  Run as a program it is the servers.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import dgram from 'node:dgram';
import fs from 'node:fs';
import net from 'node:net';
import { fileURLToPath } from 'node:url';
import { waitFor } from './daemon.mjs';

export const addresses = {
	host: '203.0.113.2', // and these are outside:
	gate: '203.0.113.1', web: '198.51.100.10', other: '198.51.100.20',
	internal: '10.20.0.5', dns: '10.20.0.53', metadata: '169.254.169.254',
	host6: '2001:db8:1::2', gate6: '2001:db8:1::1', web6: '2001:db8:2::10', metadata6: 'fd00:ec2::254',
};
const here = fileURLToPath(import.meta.url);

// Answers of the name server: A and AAAA of what it knows.
const names = { 'web.test': [addresses.web, addresses.web6], 'other.test': [addresses.other, null] };

function bytes6(address) {
	const [head, tail] = address.split('::').map((h) => h.split(':').filter(Boolean));
	const all = [...head, ...Array(8 - head.length - tail.length).fill('0'), ...tail];
	return Buffer.from(all.map((h) => h.padStart(4, '0')).join(''), 'hex');
}

function dnsAnswer(q) {
	const labels = [];
	let at = 12;
	for (; q[at] > 0; at += q[at] + 1) labels.push(q.toString('latin1', at + 1, at + 1 + q[at]));
	const type = q.readUInt16BE(at + 1);
	const known = names[labels.join('.').toLowerCase()];
	const address = known && (type === 1 ? known[0] : type === 28 ? known[1] : null);
	const head = Buffer.from([q[0], q[1], 0x84, known ? 0 : 3, 0, 1, 0, address ? 1 : 0, 0, 0, 0, 0]);
	const parts = [head, q.subarray(12, at + 5)];
	if (address) {
		const data = type === 1 ? Buffer.from(address.split('.').map(Number)) :
			bytes6(address);
		parts.push(Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 60, 0, data.length]), data);
	}
	return Buffer.concat(parts);
}

// Everything that was heard goes to standard output, a line each.
async function serve() {
	for (const port of [80, 443, 8080])
		net.createServer((s) => {
			s.on('error', () => {});
			console.log(`tcp ${s.localAddress} ${port} from ${s.remoteAddress}`);
			s.write(`you are ${s.remoteAddress}\n`);
			// As many bytes as are asked for, or all that come.
			s.once('data', (b) => { const n = Number(b); if (n > 0) s.end(Buffer.alloc(n, 'x')); });
		}).listen(port, '::');
	net.createServer((s) => {
		s.on('error', () => {});
		s.on('data', (b) => { const a = dnsAnswer(b.subarray(2)); s.write(Buffer.concat([Buffer.from([a.length >> 8, a.length & 255]), a])); });
	}).listen(53, '::');
	// A socket for each address: an answer comes from where the question went to.
	const udp = (address, port, fn) => new Promise((done) => {
		const s = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4');
		s.on('message', (m, from) => fn(s, m, from)).bind(port, address, done);
	});
	await udp(addresses.dns, 53, (s, m, from) => {
		console.log(`dns from ${from.address}`);
		s.send(dnsAnswer(m), from.port, from.address);
	});
	for (const a of [addresses.web, addresses.web6, addresses.other, addresses.internal])
		await udp(a, 9, (s, m, from) => {
			console.log(`udp "${m}" from ${from.address}`);
			s.send(`heard ${m}`, from.port, from.address);
		});
	console.log('serving');
}

export class Internet {
	constructor() { this.ns = {}; this.heard = ''; }

	sh(n, cmd, input) {
		return execFileSync('nsenter', [...this.enter(n).slice(1, -1), '--', 'sh', '-euc', cmd], { encoding: 'utf8', input });
	}

	enter(n) { return ['nsenter', '-t', String(this.ns[n].pid), '-n', '-m', '--']; }

	async namespace(n) {
		this.ns[n] = spawn('unshare', ['-n', '-m', 'sh', '-c', 'ip link set lo up; echo made; exec sleep 100000'],
			{ stdio: ['ignore', 'pipe', 'inherit'] });
		await new Promise((r) => this.ns[n].stdout.once('data', r));
	}

	async start({ v6 = true, forward = true, resolv = `nameserver ${addresses.dns}\nsearch test\n` } = {}) {
		const a = addresses;
		for (const n of ['host', 'outside']) await this.namespace(n);
		this.sh('host', `ip link add name up0 type veth peer name net0 netns ${this.ns.outside.pid}
			ip addr add ${a.host}/24 dev up0; ip addr add ${a.host6}/64 dev up0 nodad; ip link set up0 up
			sysctl -qw net.ipv4.ip_forward=${forward ? 1 : 0} net.ipv6.conf.all.forwarding=${v6 ? 1 : 0}`);
		this.sh('outside', `ip addr add ${a.gate}/24 dev net0; ip addr add ${a.gate6}/64 dev net0 nodad; ip link set net0 up
			for x in ${a.web} ${a.other} ${a.internal} ${a.dns} ${a.metadata}; do ip addr add $x/32 dev lo; done
			for x in ${a.web6} ${a.metadata6}; do ip addr add $x/128 dev lo nodad; done`);
		this.sh('host', `ip route add default via ${a.gate}; ip -6 route add default via ${a.gate6}`);
		this.resolv(resolv);
		this.servers = spawn('nsenter', [...this.enter('outside').slice(1), process.execPath, here], { stdio: ['ignore', 'pipe', 'inherit'] });
		this.servers.stdout.setEncoding('utf8').on('data', (s) => { this.heard += s; });
		await waitFor('the servers outside', () => /serving/.test(this.heard));
		return this;
	}

	// The host's /etc/resolv.conf, seen in its mount namespace alone.
	resolv(text) {
		this.sh('host', `mount -t tmpfs none /mnt; cat >/mnt/resolv.conf; umount -q /etc/resolv.conf || true
			mount --bind /mnt/resolv.conf /etc/resolv.conf; umount -l /mnt`, text);
	}

	stop() {
		this.servers?.kill('SIGKILL');
		for (const p of Object.values(this.ns)) p.kill('SIGKILL');
	}
}

export const supported = spawnSync('unshare', ['-n', 'nft', 'add', 'table', 'inet', 'x']).status === 0;

if (process.argv[1] && fs.realpathSync(process.argv[1]) === here) serve();
