export function getServerSideProps() {
  return { props: { text: "guarded page" } };
}

export default function Page({ text }) {
  return <p>{text}</p>;
}
