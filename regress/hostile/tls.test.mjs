// The TLS configuration as scanners see it, with both kinds of certificate.
// All of testssl takes minutes: that is for IDED_LONG=1.
import { test, after } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { startDaemon } from '../system/daemon.mjs';
import { sources } from './backend.mjs';
import { tool } from './tool.mjs';

const LONG = Boolean(process.env.IDED_LONG);
const source = sources(13);
const daemons = {};
after(() => Promise.all(Object.values(daemons).map((d) => d.stop())));
const daemon = async (certificate) => (daemons[certificate] ??= await startDaemon({ certificate }));

const GOOD = /^(TLS_AES_(128|256)_GCM_SHA(256|384)|TLS_CHACHA20_POLY1305_SHA256|ECDHE-(ECDSA|RSA)-(AES(128|256)-GCM-SHA(256|384)|CHACHA20-POLY1305))$/;
const all = (xml, re) => [...xml.matchAll(re)].map((m) => m[1]);

for (const kind of ['ec', 'rsa']) {
	test(`sslscan, ${kind}: TLS 1.2 and 1.3, AEAD and ECDHE, and nothing else`, { timeout: 60000 }, async () => {
		const d = await daemon(kind);
		const { out } = await tool('sslscan', ['--xml=-', '--show-sigs', '--connect-timeout=5', `127.0.0.1:${d.port}`], { net: 31, hosts: 60000 });
		assert.deepEqual(all(out, /<protocol type="(\w+)" version="[\d.]+" enabled="1"/g), ['tls', 'tls']);
		assert.deepEqual(all(out, /<protocol type="tls" version="([\d.]+)" enabled="1"/g), ['1.2', '1.3']);
		const ciphers = all(out, /<cipher status="\w+"[^>]* cipher="([\w-]+)"/g);
		assert.ok(ciphers.length >= 6, `${ciphers}`);
		for (const c of ciphers) assert.match(c, GOOD);
		assert.deepEqual([...new Set(all(out, /<group [^>]*name="([^"]+)"/g))].sort(),
			['secp256r1 (NIST P-256)', 'secp384r1 (NIST P-384)', 'x25519']);
		assert.match(out, /<renegotiation supported="0"/);
		assert.doesNotMatch(out, /vulnerable="1"/);
	});

	test(`each other cipher of TLS 1.2 that OpenSSL has is refused, ${kind}`, { timeout: 60000 }, async () => {
		const d = await daemon(kind);
		const names = execFileSync('openssl', ['ciphers', '-tls1_2', 'ALL:COMPLEMENTOFALL:@SECLEVEL=0'], { encoding: 'utf8' })
			.trim().split(':').filter((c) => !/^TLS_/.test(c));
		let accepted = 0;
		for (const name of names) {
			const s = await d.raw({ maxVersion: 'TLSv1.2', ciphers: `${name}:@SECLEVEL=0`, localAddress: source() }).catch(() => null);
			if (s === null) continue;
			accepted++;
			assert.equal(s.getCipher().name, name);
			assert.match(name, GOOD);
			s.destroy();
		}
		assert.equal(accepted, 3);
		assert.ok(names.length > 50, `${names.length}`);
	});

	const headers = LONG || kind === 'ec';
	const part = LONG ? [] : [headers ? '--headers' : '--protocols'];
	test(`testssl ${part} ${kind}: nothing found`, { timeout: 900000 }, async () => {
		const d = await daemon(kind);
		const file = `${d.dir}/testssl.json`;
		await tool('testssl', ['--warnings', 'off', '--color', '0', '--quiet', '--nodns', 'min', ...part, '--jsonfile', file, `127.0.0.1:${d.port}`],
			{ net: 32, hosts: 60000, ms: 900000 });
		const found = JSON.parse(fs.readFileSync(file, 'utf8'));
		assert.ok(found.length > (LONG ? 100 : 8), `${found.length} findings`);
		// The test's certificate signs itself, for a month; the rest is ided's.
		const own = ['engine_problem', 'cert_chain_of_trust', 'cert_expirationStatus', 'cert_notAfter', 'cert_revocation', 'DNS_CAArecord',
			'cert_trust', 'cert_signatureAlgorithm', 'cert_extlifeSpan'];
		const bad = found.filter((f) => !['OK', 'INFO'].includes(f.severity) && !own.includes(f.id));
		assert.deepEqual(bad, []);
		assert.deepEqual(found.filter((f) => /vulnerable/i.test(f.finding) && !/not vulnerable/i.test(f.finding)), []);
		const hsts = found.find((f) => f.id === 'HSTS_time');
		if (headers) assert.match(hsts?.finding ?? '', /365 days/);
	});
}
