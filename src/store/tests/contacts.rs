//! Whom somebody may call, and by which codes.

use super::*;
use crate::domain::contact_code::ContactCode;
use crate::store::{contacts, conversations};

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_code_is_one_persons_and_stays(pool: PgPool) {
    let store = open(&pool).await;
    let mut connection = store.read().await.unwrap();
    let (one, other) = (ContactCode::parse("ABCDEF"), ContactCode::parse("GHJKLM"));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!(contacts::code(&mut connection, ANNA, BERT).await.unwrap(), None);
    contacts::add(&mut connection, ANNA, BERT, &one).await.unwrap();
    contacts::add(&mut connection, ANNA, BERT, &other).await.unwrap();
    let code = contacts::code(&mut connection, ANNA, BERT).await.unwrap();
    assert_eq!(code.as_deref(), Some("ABCDEF"), "the first one");
    contacts::add(&mut connection, ANNA, alice(), &one).await.unwrap();
    assert_eq!(contacts::code(&mut connection, ANNA, alice()).await.unwrap(), None);
    // To somebody else the same code is somebody else.
    contacts::add(&mut connection, BERT, alice(), &one).await.unwrap();
    let of = async |connection: &mut PgConnection, user, code| contacts::of_code(connection, user, code).await.unwrap();
    assert_eq!(of(&mut connection, ANNA, &one).await, Some(BERT));
    assert_eq!(of(&mut connection, BERT, &one).await, Some(alice()));
    assert_eq!(of(&mut connection, ANNA, &other).await, None);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn contacts_are_the_people_of_direct_conversations(pool: PgPool) {
    let store = open(&pool).await;
    let with_alice = made(&store, Kind::Direct, &[ANNA, alice()]).await;
    let with_bert = made(&store, Kind::Direct, &[BERT, ANNA]).await;
    made(&store, Kind::Group, &[ANNA, matrix_user(BOB, None).id]).await;
    let mut connection = store.read().await.unwrap();
    let mut found = contacts::of_user(&mut connection, ANNA, 10).await.unwrap();
    found.sort_unstable();
    let mut expected = [(alice(), with_alice), (BERT, with_bert)];
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(contacts::of_user(&mut connection, ANNA, 1).await.unwrap().len(), 1);
    conversations::delete(&mut connection, with_bert, at(2)).await.unwrap();
    let found = contacts::of_user(&mut connection, ANNA, 10).await.unwrap();
    assert_eq!(found, [(alice(), with_alice)]);
    assert_eq!(contacts::of_user(&mut connection, BERT, 10).await.unwrap(), []);
}
