// The network of a sandbox beside a plain pair of interfaces, alternating: to a
// server on the host, and through the host to one outside.  And what it adds to the
// start of a sandbox.  Figures, not tests: nothing here fails.
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import { startDaemon, sleep, top, waitFor } from '../system/daemon.mjs';
import { Internet, addresses as at } from '../system/internet.mjs';

execFileSync(`${top}/etc/install-deps`, ['build', 'bench'], { stdio: 'inherit' });
const rounds = Number(process.env.ROUNDS || 7);
const seconds = Number(process.env.SECONDS_EACH || 3);
const median = (a) => [...a].sort((x, y) => x - y)[a.length >> 1];
const own = '192.0.2.2'; // the plain one's

const world = await new Internet().start();
const children = [];
const daemons = [];
const load = () => fs.readFileSync('/proc/loadavg', 'utf8').split(' ')[0];
try {
	await world.namespace('plain');
	world.sh('host', `ip link add name plain0 type veth peer name net0 netns ${world.ns.plain.pid}
		ip link set plain0 up; ip route add ${own}/32 dev plain0`);
	world.sh('plain', `ip addr add ${own}/32 dev net0; ip link set net0 up; ip route add default dev net0`);
	// No translator for this one: the outside knows the way back.
	world.sh('outside', `ip route add ${own}/32 via ${at.host}`);
	world.sh('host', 'sysctl -qw net.ipv4.conf.plain0.proxy_arp=1');
	for (const n of ['host', 'outside'])
		children.push(spawn('nsenter', [...world.enter(n).slice(1), 'iperf3', '-s'], { stdio: 'ignore' }));
	const d = await startDaemon({ users: ['ann'], enter: world.enter('host'), isolation: `egress allow to ${at.host} port 5201 tcp` });
	daemons.push(d);
	await sleep(300);
	const args = (to, reverse) => ['iperf3', '-c', to, '-t', String(seconds), '-J', ...(reverse ? ['-R'] : [])];
	const gbit = (out) => JSON.parse(out).end.sum_received.bits_per_second / 1e9;
	const sandbox = (to, r) => gbit(d.ok(['sandbox', 'exec', 'ann', '--', ...args(to, r)]));
	const plain = (to, r) => gbit(execFileSync('nsenter', [...world.enter('plain').slice(1), ...args(to, r)], { encoding: 'utf8' }));
	console.log(`TCP, Gbit/s: median of ${rounds} rounds of ${seconds} s, alternating; load ${load()}`);
	for (const [name, to] of [['one pair, to the host', at.host], ['two pairs, to the outside', at.web]])
		for (const reverse of [false, true]) {
			const a = [], b = [];
			for (let i = 0; i < rounds; i++) {
				a.push(sandbox(to, reverse));
				b.push(plain(to, reverse));
			}
			const ratio = median(a.map((v, i) => v / b[i]));
			console.log(`${name}, ${reverse ? 'received' : 'sent'}`.padEnd(36),
				`sandbox ${median(a).toFixed(2)}  plain ${median(b).toFixed(2)}  ratio ${ratio.toFixed(2)}`);
		}
	await d.stop();

	// Each start on its own: the one before has gone, namespaces and all.
	const ms = { none: [], private: [] };
	for (const network of Object.keys(ms)) {
		ms[network].d = await startDaemon({ users: ['ann'], network, enter: world.enter('host'), isolation: 'spare 0' });
		daemons.push(ms[network].d);
	}
	for (let i = 0; i < rounds * 5; i++)
		for (const network of Object.keys(ms)) {
			const e = ms[network].d;
			e.ok(['sandbox', 'exec', 'ann', '--', 'true']);
			e.ok(['sandbox', 'stop', 'ann']);
			await sleep(150);
		}
	for (const [network, a] of Object.entries(ms)) {
		await waitFor('the log', () => a.d.log.match(/sandbox\.started/g)?.length >= rounds * 5);
		const took = [...a.d.log.matchAll(/sandbox\.started.* ms=(\d+)/g)].map((m) => Number(m[1]));
		console.log(`start, no spare, network ${network}`.padEnd(36), `median ${median(took)} ms of ${took.length}`);
	}
} finally {
	for (const e of daemons) await e.stop();
	for (const c of children) c.kill('SIGKILL');
	world.stop();
}
