// The network of sandboxes on an older kernel, whose parts of it are modules: loaded
// when they are asked for, and named where they cannot be.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Vm, startDaemon } from './vm.mjs';

let vm, d;
const outside = '198.51.100.10', outside6 = '2001:db8:2::10', host = '203.0.113.2', host6 = '2001:db8:1::2';

before(async () => {
	vm = await Vm.boot();
	await vm.ok('test ! -e /sys/module/nf_tables && test ! -e /sys/module/veth');
});
after(() => vm?.stop());

const fetch = async (user, address) => {
	const r = await d.exec(user, `timeout 20 wget -q -O - http://${address.includes(':') ? `[${address}]` : address}/ 2>&1`);
	return r.out.trim();
};

test('without its modules it is named at start, or ends it', async () => {
	await vm.ok('cat /proc/sys/kernel/modprobe >/tmp/modprobe; echo /bin/false >/proc/sys/kernel/modprobe');
	d = await startDaemon(vm, { network: 'private', users: ['ann'] });
	assert.match(d.log, /isolation\.not-held what="network private: it works as none" why="this machine makes no virtual interfaces/);
	assert.equal((await d.exec('ann', 'sed -n "s/^ *\\([a-z0-9]*\\):.*/\\1/p" /proc/net/dev')).out, 'lo\n');
	await d.ok(['sandbox', 'stop', 'ann']);
	await d.stop();
	await assert.rejects(startDaemon(vm, { network: 'private', require: 'network' }),
		/ided ended \(1\)[^]*network private, which the configuration requires: this machine makes no virtual interfaces/);
	await vm.ok('cat /tmp/modprobe >/proc/sys/kernel/modprobe');
});

test('with them it has a way out, and the same is refused as on the newest kernel', async () => {
	// An outside, behind a second interface of the host.
	await vm.ok(`set -e
		unshare -n sleep 100000 >/dev/null 2>&1 &
		o=$!
		until [ "$(readlink /proc/$o/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.1; done
		ip link add up0 type veth
		ip link set veth0 name net0; ip link set net0 netns $o
		ip addr add ${host}/24 dev up0; ip addr add ${host6}/64 dev up0; ip link set up0 up
		echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
		cat >/tmp/outside.sh <<'X'
set -e
ip link set lo up
ip addr add 203.0.113.1/24 dev net0; ip addr add 2001:db8:1::1/64 dev net0; ip link set net0 up
for a in ${outside}/32 10.20.0.5/32 169.254.169.254/32 ${outside6}/128; do ip addr add $a dev lo; done
mkdir -p /tmp/www; echo outside >/tmp/www/index.html
httpd -p '[::]:80' -h /tmp/www
X
		nsenter -t $o -n sh /tmp/outside.sh
		ip route add default via 203.0.113.1; ip -6 route add default via 2001:db8:1::1
		mkdir -p /tmp/own; echo host >/tmp/own/index.html; httpd -p '[::]:80' -h /tmp/own
		until timeout 5 wget -q -O - http://${outside}/; do sleep 0.1; done`);
	d = await startDaemon(vm, { network: 'private', require: 'network', users: ['bob', 'eve'] });
	assert.match(d.log, /network\.ready pool="100\.64\.0\.0\/10" pool6="fd69:6465:6400::\/64"/);
	// Addresses of IPv6 take a moment until they may be used.
	for (let i = 0; i < 50 && (await fetch('eve', outside6)) !== 'outside'; i++);
	for (const a of [outside, outside6]) assert.equal(await fetch('eve', a), 'outside', a);
	for (const a of [host, host6, '10.0.2.15', '10.20.0.5', '169.254.169.254'])
		assert.match(await fetch('eve', a), /Connection refused/, a);
	assert.equal((await d.exec('bob', 'true')).status, 0);
	const eve = await d.row('eve'), bob = await d.row('bob');
	assert.ok(eve.received > 0);
	assert.match(await fetch('eve', `100.67.13.${bob.uid & 255}`), /Connection refused/);
	assert.notEqual(eve.uid, bob.uid);
});

test('a reload, and the end: nothing is left', async () => {
	d.opts.isolation = `egress deny to ${outside}`;
	await d.write();
	await d.ok(['reload']);
	assert.match(await fetch('eve', outside), /Connection refused/);
	assert.equal(await fetch('eve', outside6), 'outside');
	for (const user of ['bob', 'eve']) await d.ok(['sandbox', 'stop', user]);
	await d.stop();
	assert.doesNotMatch(await vm.ok('ip link'), /ide[0-9a-z]{12}/);
	await vm.ok('test ! -e /run/ided/resolv.conf');
});
