// ided as it is installed, on an older kernel with control groups in version 2.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { Vm, startDaemon } from './vm.mjs';

let vm;
let d;
before(async () => {
	vm = await Vm.boot();
	d = await startDaemon(vm);
});
after(() => vm?.stop());

test('it starts with all that it is told to require, and says what it found', () => {
	assert.match(d.log, /isolation\.has cgroup="v2" landlock=2/);
});

test('a browser gets its IDE', async () => {
	const cookie = await d.login('ann');
	const r = await d.request('GET', '/ide/?folder=/home/ann', { headers: { cookie } });
	assert.equal(r.status, 200, r.body);
	assert.match(r.body, /a small IDE/);
});

test('commands run as the user', async () => {
	const r = await d.exec('ann', 'id -u; hostname; ls /home');
	assert.equal(r.out, `${d.uids}\nann\nann\n`);
});
