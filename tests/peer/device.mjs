// The user on another device: enters the code that the bridge shows, and says yes or no. Cookies are kept by name: there is
// one user and no other site.

const REDIRECTS = 20;

/// Goes to the address with the code in it, and answers the question there.
export async function enter(link, answer = 'confirm') {
  const cookies = new Map();
  const go = async (url, body, left = REDIRECTS) => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, { method: body ? 'POST' : 'GET', body, redirect: 'manual', headers: { cookie } });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      value === '' ? cookies.delete(name) : cookies.set(name, value);
    }
    const next = response.headers.get('location');
    if (!next) return { status: response.status, text: await response.text() };
    if (left === 0) throw new Error('too many redirects');
    await response.body?.cancel();
    return go(new URL(next, url), undefined, left - 1);
  };
  const page = await go(link);
  const hidden = (name) => new RegExp(`name="${name}" value="([^"]*)"`).exec(page.text)?.[1] ?? '';
  const form = { xsrf: hidden('xsrf'), user_code: new URL(link).searchParams.get('user_code') };
  return go(new URL(new URL(link).pathname, link), new URLSearchParams({ ...form, [answer]: 'yes' }));
}

/// The address with the code in it that the bridge has shown last.
export function shownLink(said) {
  return [...said.matchAll(/sign in at \S+ with the code \S+, or at (\S+)\n/g)].at(-1)?.[1];
}
