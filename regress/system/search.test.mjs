// Accounts that are found among many: page after page, each once, whatever is looked for
// and however many look at once, and others are served meanwhile.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { Daemon, obj, password } from './daemon.mjs';
import { Api } from './api.mjs';

const many = 22_000;	// more than a page looks at
const d = new Daemon({ ratelimit: 'login 1000 per 15m\napi 100000 per 15m\nweb 100000 per 15m\nuser 100000 per 15m' });
const apis = [];
let root, ann;
before(async () => {
	await d.prepare();
	// That tool counts uids from 200000.
	fs.writeFileSync(d.conf, fs.readFileSync(d.conf, 'utf8').replace(/uids \d+:1000/, 'uids 200000:4000000'));
	execFileSync(`${obj}/regress/bench/accounts_load`, ['fill', `${d.data}/store`, String(many)]);
	execFileSync('chown', ['-R', '_ideda:_ideda', `${d.data}/store`]);
	await d.start();
	d.addUser('root1', 'admin');
	d.addUser('ann');
	[root, ann] = [await Api.login(d, 'root1', password), await Api.login(d, 'ann', password)];
	apis.push(root, ann);
});
after(async () => {
	for (const a of apis) a.close();
	await d.stop();
});

// All that is found, and how many pages that took.
async function found(api, q, limit = 200) {
	const items = [];
	let pages = 0;
	for (let next = ''; next !== null; pages++) {
		const r = await api.call('GET', `users?limit=${limit}&${q}${next && `&cursor=${next}`}`);
		assert.equal(r.status, 200, JSON.stringify(r.error));
		assert.ok(r.data.items.length <= limit);
		items.push(...r.data.items);
		next = r.data.next;
	}
	return { names: items.map((u) => u.username), ids: items.map((u) => u.id), pages };
}
const user = (n) => `user${String(n).padStart(7, '0')}`;

test('whatever is looked for is found, each once, in the order in which it was made', async () => {
	// In the middle, by the name; at the end, by the address; by a role; nobody.
	const some = await found(root, 'q=USER00123', 7);
	assert.deepEqual(some.names, Array.from({ length: 100 }, (_, i) => user(12300 + i)));
	assert.deepEqual(some.ids, [...some.ids].sort((a, b) => a - b));
	assert.ok(some.pages >= 100 / 7 && some.pages <= 100 / 7 + 3, `${some.pages} pages`);
	assert.deepEqual((await found(root, `q=${user(many - 1)}@`)).names, [user(many - 1)]);
	assert.deepEqual((await found(root, 'role=admin')).names, ['root1']);
	const none = await found(root, 'q=nobody+has+this');
	assert.deepEqual(none.names, []);
	// One that finds nothing is not looked for without an end: it goes on at a cursor.
	assert.equal(none.pages, 2);
	assert.equal((await root.call('GET', 'users?q=user&limit=1')).data.items.length, 1);
	assert.deepEqual(JSON.parse(d.ok(['-j', 'user', 'list', '-f', '0012345'])).map((u) => u.name), [user(12345)]);
	// A cursor is one of the same list; of whom it names none need be there.
	for (const at of ['q=x&cursor=user0000001', 'cursor=200001', 'q=x&cursor=99999999999', 'q=x&cursor=-1', 'q=x&cursor=4294967296'])
		assert.equal((await root.call('GET', `users?${at}`)).error.details.field, 'cursor', at);
	assert.deepEqual((await root.call('GET', 'users?q=user&cursor=4294967295')).data, { items: [], next: null });
});

test('all of them by name: a page goes on behind one that is gone', async () => {
	const { items, next } = (await root.call('GET', `users?limit=3&cursor=${user(41)}`)).data;
	assert.deepEqual(items.map((u) => u.username), [user(42), user(43), user(44)]);
	assert.equal(next, user(44));
	assert.equal((await root.call('DELETE', `users/${user(44)}?workspace=keep`)).status, 200);
	assert.deepEqual((await root.call('GET', `users?limit=1&cursor=${next}`)).data.items.map((u) => u.username), [user(45)]);
});

test('many look at once: all find it, and others are served before they have', { timeout: 120000 }, async () => {
	const lookers = Array.from({ length: 12 }, () => new Api(d, root.headers));
	apis.push(...lookers);
	// A change is a write to the disk, and that may be slow: as often as it takes.
	let served = 0;
	for (let i = 0; i < 20 && served === 0; i++) {
		let under = lookers.length;
		const all = Promise.all(lookers.map((a, n) => found(a, `q=${user(many - 10 - n)}`).finally(() => { under--; })));
		while (under > 0) {
			assert.equal((await ann.call('PATCH', 'users/me', { displayName: `Ann ${served}` })).status, 200);
			if (under > 0) served++;
		}
		(await all).forEach((r, n) => assert.deepEqual(r.names, [user(many - 10 - n)]));
	}
	console.log(`${served} changes by another user meanwhile`);
	assert.ok(served > 0);
	// Who leaves is not looked for any more, and nobody is the worse for it.
	const gone = lookers.map((a) => found(a, 'q=nobody+has+this').catch(() => 'gone'));
	for (const a of lookers) a.close();
	await Promise.all(gone);
	assert.equal((await ann.call('GET', 'users/me')).status, 200);
	assert.doesNotMatch(d.log, /process\.died|BUG/);
});
