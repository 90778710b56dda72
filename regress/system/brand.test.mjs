// What a site makes of ided's own pages: words, a logo, colours.
import { test, before, after } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { startDaemon } from './daemon.mjs';

const svg = '<?xml version="1.0"?>\n<!-- ours -->\n<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>';
const png = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==', 'base64');
const brand = (dir, more = '') => `app-name "Lab & Co"
brand {
	welcome "Welcome to {{app}}, <b>you</b>"
	text "Members of the lab only: \\"ask\\" us"
	logo "${dir}/logo"
	accent "#FFD000" dark "#102030"
	background "#fafafa"
	${more}
}`;
let d;

before(async () => {
	d = await startDaemon({});
	fs.writeFileSync(`${d.dir}/logo`, svg);
	d.write(brand(d.dir));
	d.ok(['reload']);
});
after(() => d?.stop());

const reloaded = () => d.ctl(['reload']);
const asset = (page, name) => new RegExp(`/_static/${name.replace('.', '\\.')}\\?v=[0-9a-f]{16}`).exec(page.body)[0];

test('the words of the login are text, and nothing else', async () => {
	const page = await d.request('GET', '/login');
	assert.match(page.body, /<p class="welcome">Welcome to Lab &amp; Co, &lt;b&gt;you&lt;\/b&gt;<\/p>/);
	assert.match(page.body, /<p class="quiet">Members of the lab only: &quot;ask&quot; us<\/p>/);
	assert.match(page.headers['content-security-policy'], /default-src 'none'.*style-src 'self'/);
	const failed = await d.post('/login', { username: 'ann', password: 'no' });
	assert.match(failed.body, /Welcome to Lab/);
});

test('the logo comes from memory, is typed by what it is, and runs nothing', async () => {
	const page = await d.request('GET', '/login');
	const url = asset(page, 'logo');
	const logo = await d.request('GET', url);
	assert.equal(logo.body, svg);
	assert.equal(logo.headers['content-type'], 'image/svg+xml');
	assert.match(logo.headers['content-security-policy'], /default-src 'none'.*sandbox/);
	assert.match(logo.headers['cache-control'], /immutable/);
	// What is in the file counts with the next reload, and has another address.
	fs.writeFileSync(`${d.dir}/logo`, png);
	assert.equal((await d.request('GET', url)).body, svg);
	assert.equal(reloaded().status, 0);
	const other = asset(await d.request('GET', '/login'), 'logo');
	assert.notEqual(other, url);
	const shown = await d.request('GET', other);
	assert.deepEqual(shown.raw, png);
	assert.equal(shown.headers['content-type'], 'image/png');
});

test('colours are the style sheet\'s, with letters that can be read on them', async () => {
	const css = await d.request('GET', asset(await d.request('GET', '/login'), 'style.css'));
	assert.match(css.headers['content-type'], /^text\/css/);
	const [light, dark] = css.body.slice(css.body.lastIndexOf(':root', css.body.lastIndexOf('@media'))).split('@media');
	assert.match(light, /--accent: #ffd000;\s+--accent-text: #000000;/);
	assert.match(light, /--back: #fafafa;/);
	assert.match(dark, /--accent: #102030;\s+--accent-text: #ffffff;/);
	assert.ok(!/--back/.test(dark));
});

test('what is no image, too large or no colour is refused by name, and the old stays', async () => {
	for (const [data, why] of [['<html></html>', /expected an image: PNG, JPEG, WebP or SVG/],
		[Buffer.concat([png, Buffer.alloc(70000)]), /at most 64 KB/]]) {
		fs.writeFileSync(`${d.dir}/logo`, data);
		const r = reloaded();
		assert.equal(r.status, 1);
		assert.match(r.err + r.out, why);
		assert.match(r.err + r.out, /brand logo ".*\/logo"/);
	}
	fs.writeFileSync(`${d.dir}/logo`, png);
	d.write(brand(d.dir).replace('#FFD000', 'yellow'));
	assert.match(reloaded().err, /expected a colour such as "#2456a6" after "accent"/);
	assert.match((await d.request('GET', '/login')).body, /Welcome to Lab/);
});
