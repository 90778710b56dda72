// Who may do what, walked: each row of the API by a role and by a token of each single
// permission, by the roles that are built in, and by nobody; each command of idectl by
// root and by who is not.  Rows, commands and permissions are read out of the tables of
// the source: a row that is new is walked, or named as one that this does not know.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { startDaemon, obj, password, top } from './daemon.mjs';
import { Api } from './api.mjs';

const source = (file) => fs.readFileSync(`${top}/${file}`, 'utf8');
const rows = (text, re) => [...text.matchAll(re)].map((m) => m.slice(1));
const permission_h = source('privsep/permission.h');

// NAME of the source: "name" of the configuration.
const permissions = Object.fromEntries(rows(permission_h, /^P\((\w+),\s*"([\w.]+)",/gm));
// MESSAGE: NAME.
const access = Object.fromEntries(rows(permission_h, /^A\((\w+),\s*(\w+),/gm));

// Functions that answer by themselves: the message that they ask auth by.
const asks = { api_sessions: 'PORTAL', api_session_end: 'SESSION_END',
	api_settings: 'SETTINGS_GET', api_settings_change: 'SETTINGS_PUT' };
const bodies = { TOKEN_ADD: { name: 'walk', scopes: ['account.own'], expiresIn: 1 }, SETTINGS_PUT: {},
	// Refused, and yet no wrong password, which would be held against the source.
	ME_PASSWORD: { currentPassword: password, newPassword: password }, SESSION_END: { session: '0'.repeat(16) } };

const methods = (text) => ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'].filter((m) => new RegExp(`\\b(R_|METHOD_)?${m}\\b`).test(text));

// All that is below /api/: rows that are a message to auth, C(), and those that have a
// function of their own, D(), where NULL tells who asks who that is.
function calls() {
	const all = [];
	for (const f of fs.readdirSync(`${top}/worker`).filter((n) => /^api_\w+\.c$/.test(n)))
		for (const [kind, m, path, what, flags] of rows(source(`worker/${f}`), /^([CD])\(([\w |]+),\s*"([^"]+)",\s*"[^"]*",\s*(\w+),([^]*?)\),$/gm)) {
			const byTable = kind === 'C', open = /API_PUBLIC/.test(flags), whoever = what === 'NULL';
			const message = byTable ? what : asks[what];
			assert.ok(message || open || whoever, `/api/${path}: ${what} is not known here: what does it ask auth for?`);
			for (const method of methods(m)) all.push({ method, path, message, byTable, open, whoever });
		}
	const described = Object.values(api.paths).reduce((n, p) => n + Object.keys(p).filter((k) => methods(k.toUpperCase()).length).length, 0);
	assert.equal(all.length, described, 'the tables were not found');
	return all;
}

// Something that a field may be, and that leads to nobody.
function value(name, s) {
	if (s.enum) return s.enum[0];
	const type = [].concat(s.type)[0];
	if (s.pattern === '^[0-9a-f]+$') return '0'.repeat(s.minLength);
	if (type === 'string') return name === 'username' ? 'Not A Name' : 'nosuch'.slice(0, s.maxLength);
	return { integer: s.minimum ?? 1, boolean: false, array: [], object: {}, null: null }[type];
}

let api, walked;
const identities = [];

function request(c) {
	const spec = api.paths[`/api/${c.path.replace(/:(\w+)/g, '{$1}')}`]?.[c.method.toLowerCase()];
	const query = (spec?.parameters ?? []).filter((p) => p.in === 'query' && p.required).map((p) => `${p.name}=${value(p.name, p.schema)}`);
	const schema = spec?.requestBody?.content['application/json'].schema;
	const body = c.method === 'GET' ? undefined : bodies[c.message] ??
		Object.fromEntries((schema?.required ?? []).map((n) => [n, value(n, schema.properties[n])]));
	const path = c.path.replace(':id', /session|token/.test(c.path) ? '0'.repeat(16) : 'nosuch').replace(':port', '3000');
	return [c.method, path + (query.length ? `?${query.join('&')}` : ''), c.method === 'DELETE' && !schema ? undefined : body];
}

let d;
before(async () => {
	const single = Object.values(permissions).map((p) => [`only-${p.replace('.', '-')}`, p]);
	d = await startDaemon({ auth: 'registration approval', users: ['admin'], conf: ['audit { store }', ...single.map(([r, p]) => `role "${r}" permit ${p}`)].join('\n') });
	const admin = await Api.login(d, 'admin', password);
	api = (await d.request('GET', '/api/openapi.json')).json;
	walked = calls();
	const own = permissions.ACCOUNT_OWN;
	for (const { name, permissions: have } of (await admin.call('GET', 'admin/roles')).data.items) {
		const user = `u-${name}`;
		d.ok(['user', 'add', '-r', name, user], `${password}\n`);
		const alone = single.find(([r]) => r === name);
		identities.push({ name: `role ${name}`, alone: alone?.[1], have: new Set(have), api: await Api.login(d, user, password) });
		if (alone) assert.deepEqual(new Set(have), new Set([own, alone[1]]));
	}
	assert.equal(identities.length, single.length + 3);
	for (const p of Object.values(permissions)) {
		const r = await admin.call('POST', 'users/me/tokens', { name: p, scopes: [p] });
		assert.equal(r.status, 201, JSON.stringify(r.error));
		identities.push({ name: `token ${p}`, alone: p, have: new Set([p]), api: new Api(d, { authorization: `Bearer ${r.data.token}` }) });
	}
	admin.close();
});
after(async () => {
	for (const i of identities) i.api.close();
	await d?.stop();
});

// Who ends all other sessions ends other tokens' connections, and they come again.
const ask = (i, c) => i.api.call(...request(c)).catch(() => { i.api.renew(); return i.api.call(...request(c)); });

test('each call of the API by each role and by a token of each permission', { timeout: 300000 }, async () => {
	const nobody = new Api(d);
	let allowed = 0, refused = 0, turn = 0;
	const seen = new Set();
	for (const c of walked) {
		const at = `${c.method} ${c.path}`;
		if (c.open) continue;
		assert.ok(c.whoever || access[c.message], `${at}: ${c.message} has no row in ACCESS_TABLE`);
		const needs = permissions[access[c.message]];
		assert.ok(c.whoever || needs, `${at} is open to all: who may?`);
		// As it is described.
		const { security } = api.paths[`/api/${c.path.replace(/:(\w+)/g, '{$1}')}`][c.method.toLowerCase()];
		assert.deepEqual(security, [{ cookie: needs ? [needs] : [] }, { bearer: needs ? [needs] : [] }], at);
		seen.add(c.message);
		assert.equal((await nobody.call(...request(c))).status, 401, at);
		for (const i of identities) {
			// Of those that have one permission: who has this one, and some of the others
			// in turn; with IDED_ROUNDS all of them.
			if (i.alone && i.alone !== needs && ++turn % 6 !== 0 && !process.env.IDED_ROUNDS) continue;
			const r = await ask(i, c);
			const told = `${at} by ${i.name}: ${r.status} ${JSON.stringify(r.error)}`;
			if (c.whoever || i.have.has(needs)) {
				assert.doesNotMatch(r.error?.message ?? '', /this needs the permission/, told);
				assert.ok(![401, 405, 429, 500, 503].includes(r.status), told);
				allowed++;
			} else {
				assert.equal(r.status, 403, told);
				assert.equal(r.error.code, 'FORBIDDEN', told);
				if (c.byTable) assert.match(r.error.message, new RegExp(`this needs the permission ${needs.replace('.', '\\.')}$`), told);
				refused++;
			}
		}
	}
	nobody.close();
	console.log(`${walked.length} calls, ${identities.length} identities: ${allowed} allowed, ${refused} refused`);
	// The table's other messages are not of the API: the IDE's, ports', services', logins, idectl's.
	const others = Object.keys(access).filter((m) => !seen.has(m) && permissions[access[m]] && !/^CTL_/.test(m));
	assert.deepEqual(others.filter((m) => !['IDE', 'LAST', 'LOCATION', 'LOCATION_FILE', 'LOCATION_SIGN', 'MINT', 'UPDATE', 'PORT', 'PORT_CODE', 'SHARE_CODE'].includes(m)), []);
});

test('each command of idectl: by root, and by nobody else', { timeout: 120000 }, () => {
	const commands = rows(source('bin/idectl/command.c'), /^\t\{ "(\w[\w-]*)", (?:"([\w-]+)"|NULL), "([^"]*)",[^{}]*?\bM_(\w+),/gm);
	const listed = d.ctl(['-h']);
	const lines = (listed.out + listed.err).split('\n').filter((l) => /^ {2}\w/.test(l));
	assert.equal(commands.length, lines.length, 'the commands were not found');
	const exe = `${d.dir}/idectl`;
	fs.copyFileSync(`${obj}/idectl`, exe);
	fs.chmodSync(exe, 0o755);
	// So that it is who speaks that is refused, not who opens the socket.
	fs.chmodSync(d.runtime, 0o755);
	fs.chmodSync(`${d.runtime}/ided.sock`, 0o666);
	fs.mkdirSync(`${d.dir}/all`);
	fs.chmodSync(`${d.dir}/all`, 0o777);
	const other = (args) => spawnSync(exe, ['-s', `${d.runtime}/ided.sock`, ...args],
		{ uid: 65534, gid: 65534, input: `${password}\n`, encoding: 'utf8', timeout: 30000, cwd: '/' });
	const pid = d.pid;
	for (const [noun, verb, usage, message] of commands) {
		if (message === 'NONE') continue;	// it asks nobody
		const at = `idectl ${noun} ${verb ?? ''}`;
		assert.ok(permissions[access[message]], `${at}: ${message} has no permission in ACCESS_TABLE`);
		const args = usage.replace(/ -- .*/, ' -- true').replace(/\[[^\]]*\]/g, '').replace(/ \|.*/, '').replace('limit=value', 'cpu=100')
			.replace(/\.\.\./g, '').replace('FILE', `${d.dir}/all/none`).split(' ').filter(Boolean).map((a) => (a === 'PORT' ? '3000' : /^[A-Z]+$/.test(a) ? 'nosuch' : a));
		if (noun === 'user' && verb === 'set') args.unshift('-n', 'Name');	// one of what is optional
		const r = other([noun, ...(verb ? [verb] : []), ...args]);
		assert.ok(r.status !== 0 && r.status !== null, `${at} by another user: ${r.status} ${r.stdout}`);
		// By ided, not for want of an argument or a socket; the new ided of an upgrade does
		// not come so far.
		if (message !== 'CTL_HANDOVER') assert.match(r.stderr, /ided closed the connection: idectl is for root/, at);
		assert.equal(r.stdout, '', at);
		// What ends or replaces ided, root does in tests of their own.
		if (['CTL_STOP', 'CTL_HANDOVER'].includes(message)) continue;
		const own = d.ctl([noun, ...(verb ? [verb] : []), ...args], `${password}\n`);
		assert.doesNotMatch(own.err, /usage:|not permitted/, at);
		assert.ok(own.status === 0 || own.err !== '', `${at}: ${own.status}`);
	}
	assert.equal(JSON.parse(d.ok(['-j', 'status'])).pid, pid);
	assert.match(d.ok(['-j', 'audit', 'query', '-n', '1', '-e', 'idectl.refused']), /"uid"/);
});
