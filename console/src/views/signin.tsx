/** What a browser without a session sees. */
export function SignIn({ why }: { why: string | null }) {
  return (
    <main class="signin">
      <h1>lgi-mm</h1>
      {why && (
        <p class="notice bad" role="alert">
          {why}
        </p>
      )}
      <p>On the machine that runs lgi-mm, type</p>
      <pre>lgi-mm console</pre>
      <p>and open the link that it prints. The link is valid for 5 minutes and opens one session of 12 hours.</p>
    </main>
  );
}
