// What is in the executables and in the sources: hardening, and that each holds
// only the code of its role.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { execFileSync, spawnSync } from 'node:child_process';
import { obj, top, sanitized } from './daemon.mjs';

const run = (...args) => execFileSync(args[0], args.slice(1), { encoding: 'utf8', maxBuffer: 1 << 28 });
const programs = ['ided', 'idectl', 'ided-isolation', 'ided-auth', 'ided-hash', 'ided-keys', 'ided-fetch', 'ided-worker', 'ide-session'];
const hardened = { skip: sanitized && 'a build with sanitizers leaves out what gets in their way' };

// The worker and ide-session hold their libraries (but not with sanitizers): what the
// others have undefined, they have.  Functions that were left out are all the one that ends it.
const whole = (f) => !/\(NEEDED\)/.test(run('readelf', '-dW', `${obj}/${f}`));
function functions(f) {
	const lines = run('nm', whole(f) ? '--defined-only' : '-u', `${obj}/${f}`).trim().split('\n')
		.map((l) => l.trim().split(/\s+/));
	const absent = lines.find((l) => l[2] === 'absent')?.[0];
	return lines.filter((l) => l.length < 3 || (/^[TWi]$/.test(l[1]) && l[0] !== absent))
		.map((l) => l.pop().replace(/@.*/, ''));
}

test('every executable is hardened', () => {
	for (const f of programs) {
		const h = run('readelf', '-hldW', `${obj}/${f}`);
		assert.match(h, /Type:\s+DYN/, `${f}: PIE`);
		assert.match(h, /Flags:.*\bPIE\b/, `${f}: PIE`);
		assert.match(h, /GNU_RELRO/, `${f}: RELRO`);
		assert.match(h, /\bBIND_NOW\b|Flags:.*\bNOW\b/, `${f}: full RELRO`);
		assert.match(h, /GNU_STACK\s+(0x0+\s+){2}0x0+ 0x0+ 0x0+ RW\s/, `${f}: stack that cannot be executed`);
		assert.doesNotMatch(h, /LOAD.* R?WE /, `${f}: memory both writable and executable`);
		assert.doesNotMatch(h, /\((RPATH|RUNPATH)\)/, `${f}: RPATH`);
		assert.doesNotMatch(h, /TEXTREL/, `${f}: text relocations`);
	}
});

// The linker says nothing of a function that is nowhere to be found (-w): it
// leaves a call of sixteen zeros, which is noticed when somebody comes there.
test('whoever holds its libraries lacks nothing of them', () => {
	for (const f of programs.filter(whole)) {
		const out = `${obj}/${f}.plt`;
		execFileSync('objcopy', ['-O', 'binary', '--only-section=.plt.sec', `${obj}/${f}`, out]);
		const plt = fs.readFileSync(out);
		fs.rmSync(out);
		assert.ok(plt.length > 0, f);
		for (let at = 0; at < plt.length; at += 16)
			assert.ok(plt.subarray(at, at + 16).some((b) => b !== 0), `${f}: entry ${at / 16} of its procedure linkage table is empty`);
	}
});

test('every executable has stack protector, FORTIFY_SOURCE and shadow stack', hardened, () => {
	for (const f of programs) {
		const names = functions(f);
		assert.ok(names.includes('__stack_chk_fail'), `${f}: stack protector`);
		assert.ok(names.some((n) => /^__\w+_chk$/.test(n)), `${f}: FORTIFY_SOURCE`);
		assert.match(run('readelf', '-nW', `${obj}/${f}`), /x86 feature:.*SHSTK/, `${f}: shadow stack`);
		if (whole(f)) continue; // it looks at what is undefined
		// Its own eyes; what it says of control flow integrity depends on the
		// distribution's start files, and of stack clash on luck: both follow.
		const h = spawnSync('hardening-check', ['--nocfprotection', `${obj}/${f}`], { encoding: 'utf8' });
		assert.equal(h.status, 0, `${f}: ${h.stdout}${h.stderr}`);
	}
});

const objects = fs.readdirSync(obj, { recursive: true }).filter((f) => /^(bin|master|worker|privsep)\/.*\.o$/.test(f));

test('every object is ready for control flow integrity', hardened, () => {
	assert.ok(objects.length > 100, `${objects.length} objects`);
	const notes = run('readelf', '-nW', ...objects.map((f) => `${obj}/${f}`));
	assert.equal(notes.match(/^File: /mg).length, objects.length);
	assert.equal((notes.match(/x86 feature: IBT, SHSTK/g) || []).length, objects.length);
});

// GCC writes its options into what it compiles.
const producer = (f) => /DW_AT_producer.*: (.*)/.exec(run('readelf', '--debug-dump=info', '--dwarf-depth=1', `${obj}/${f}`))?.[1] || '';
const gcc = /GNU C/.test(producer(objects[0]));

test('every object was compiled with all hardening', { skip: hardened.skip || (!gcc && 'only GCC says how') }, () => {
	for (const f of objects) {
		const p = producer(f);
		for (const option of ['-fPIE', '-fno-common', '-fstack-protector-strong', '-fstack-clash-protection', '-fcf-protection'])
			assert.ok(p.includes(option), `${f}: ${option} is not in: ${p}`);
	}
});

// Families of functions, and which executables have any of them: those and no
// others.
const families = {
	tls: /^(SSL|TLS|OPENSSL_init_ssl)/,
	// libmd's SHA512Init and the like are those of arc4random().
	crypto: /^((EVP|X509|PEM|BIO|RSA|EC|ASN1|d2i|i2d)_?|SHA\d+(_|$))/,
	http: /^nghttp2_/,
	json: /^json_/,
	argon2: /^argon2/,
	database: /^db_/,
	mount: /^(u?mount2?|mount_setattr|move_mount|open_tree|fsopen|pivot_root)$/,
	namespace: /^(unshare|setns|clone)$/,
	exec: /^(f?exec[lv]\w*|posix_spawnp?|system|popen)$/,
	socket: /^(socket|bind|listen|connect)$/,
	accounts: /^(get(pw|gr)\w+|getaddrinfo|gethostby\w+)$/,
};
const has = {
	ided: ['accounts', 'exec', 'socket'],
	'ided-worker': ['crypto', 'http', 'json', 'tls'],
	'ided-auth': ['crypto', 'database'],
	'ided-hash': ['argon2'],
	'ided-keys': ['crypto'],
	'ided-fetch': ['accounts', 'crypto', 'json', 'socket', 'tls'],	// accounts: it looks up one name
	'ided-isolation': ['accounts', 'crypto', 'exec', 'mount', 'namespace', 'socket'],
	'ide-session': ['exec', 'socket'],
	// accounts: what it restores is auth's; crypto: it verifies the audit trail by itself
	idectl: ['accounts', 'crypto', 'exec', 'json', 'socket'],
};

test('executables hold only the code of their role', () => {
	for (const f of programs) {
		const names = functions(f);
		const found = Object.keys(families).filter((k) => names.some((n) => families[k].test(n)));
		assert.deepEqual(found.sort(), has[f], f);
	}
});

// STYLE: everything that root ever executes is in bin/ and privsep/, and includes
// point one way.
const allowed = [
	[/^worker\//, /^(worker|privsep)\/[^/]+$/],
	[/^master\//, /^(master|privsep)\/[^/]+$/],
	[/^bin\/([^/]+)\//, (m) => new RegExp(`^(bin/${m[1]}|privsep)/[^/]+$`)],
	[/^privsep\/([^/]+)\//, (m) => new RegExp(`^privsep/(${m[1]}/)?[^/]+$`)],
	[/^privsep\//, /^privsep\/[^/]+$/],
];

test('includes point one way: to privsep/, and never back', () => {
	const files = run('git', '-C', top, 'ls-files', '--cached', '--others', '--exclude-standard',
		'bin', 'master', 'worker', 'privsep').split('\n').filter((f) => /\.[ch]$/.test(f) && fs.existsSync(`${top}/${f}`));
	assert.ok(files.length > 150, `${files.length} files`);
	let seen = 0;
	for (const f of files) {
		const [from, to] = allowed.find(([re]) => re.test(f));
		const may = to instanceof RegExp ? to : to(from.exec(f));
		for (const [, inc] of fs.readFileSync(`${top}/${f}`, 'utf8').matchAll(/^\s*#\s*include\s+"([^"]+)"/mg)) {
			const target = path.normalize(path.join(path.dirname(f), inc));
			assert.match(target, may, `${f} includes "${inc}"`);
			seen++;
		}
	}
	assert.ok(seen > 300, `${seen} includes`);
});
