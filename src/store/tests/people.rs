//! Accounts and Matrix users.

use super::*;
use crate::store::people;

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn writing_an_account_says_whether_anything_is_news(pool: PgPool) {
    let store = open(&pool).await;
    let mut connection = store.read().await.unwrap();
    let mut anna = account(ANNA, "anna");
    assert!(!people::put_account(&mut connection, &anna, false, at(1)).await.unwrap());
    anna.display_name = Some("Anna".to_owned());
    assert!(people::put_account(&mut connection, &anna, false, at(2)).await.unwrap());
    assert!(!people::put_account(&mut connection, &anna, false, at(3)).await.unwrap());
    anna.avatar_url = Some("https://cdn.example.org/a.png".to_owned());
    assert!(people::put_account(&mut connection, &anna, false, at(4)).await.unwrap());
    anna.display_name = None;
    assert!(people::put_account(&mut connection, &anna, false, at(5)).await.unwrap());
    people::deactivate(&mut connection, ANNA, at(6)).await.unwrap();
    let gone = people::account(&mut connection, ANNA).await.unwrap().unwrap();
    assert_eq!(gone.deactivated_at, Some(at(6)));
    assert!(
        people::put_account(&mut connection, &anna, false, at(7)).await.unwrap(),
        "it is back"
    );
    let back = people::account(&mut connection, ANNA).await.unwrap().unwrap();
    assert_eq!((back.deactivated_at, back.person), (None, anna));
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_ghost_is_provisioned_with_a_profile(pool: PgPool) {
    let store = open(&pool).await;
    let mut connection = store.read().await.unwrap();
    let before = people::account(&mut connection, ANNA).await.unwrap().unwrap();
    assert!(!before.registered && before.synced_profile.is_none());
    people::ghost_provisioned(&mut connection, ANNA, "abc", at(1))
        .await
        .unwrap();
    people::ghost_provisioned(&mut connection, ANNA, "def", at(2))
        .await
        .unwrap();
    let after = people::account(&mut connection, ANNA).await.unwrap().unwrap();
    assert!(after.registered && after.synced_profile.as_deref() == Some("def"));
    assert!(
        people::account(&mut connection, alice()).await.unwrap().is_none(),
        "a Matrix user has no account"
    );
    assert!(
        people::account(&mut connection, UserId(Uuid::nil()))
            .await
            .unwrap()
            .is_none()
    );
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_matrix_user_is_known_better_and_better(pool: PgPool) {
    let store = open(&pool).await;
    let mut connection = store.read().await.unwrap();
    let nameless = matrix_user(ALICE, None);
    people::know(&mut connection, std::slice::from_ref(&nameless), &[], at(1))
        .await
        .unwrap();
    let known = people::person(&mut connection, alice()).await.unwrap().unwrap();
    assert_eq!(
        known.display_name.as_deref(),
        Some("Alice"),
        "being met does not erase a name"
    );
    let twice = [matrix_user(ALICE, Some("A.")), matrix_user(ALICE, Some("Alice B."))];
    people::know(&mut connection, &[], &twice, at(2)).await.unwrap();
    let known = people::person(&mut connection, alice()).await.unwrap().unwrap();
    assert_eq!(known, twice[1], "the last word counts");
    people::know(&mut connection, &[], std::slice::from_ref(&nameless), at(3))
        .await
        .unwrap();
    let known = people::person(&mut connection, alice()).await.unwrap().unwrap();
    assert_eq!(known, nameless, "who shows no name has none");
    assert!(
        people::person(&mut connection, UserId(Uuid::nil()))
            .await
            .unwrap()
            .is_none()
    );
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn an_event_cannot_rename_an_account(pool: PgPool) {
    let store = open(&pool).await;
    let mut connection = store.read().await.unwrap();
    let mut forged = account(ANNA, "evil");
    forged.is_nova = false;
    forged.display_name = Some("Evil".to_owned());
    people::know(&mut connection, &[], &[forged], at(1)).await.unwrap();
    let anna = people::person(&mut connection, ANNA).await.unwrap().unwrap();
    assert_eq!(anna, account(ANNA, "anna"));
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn accounts_are_found_by_username_and_listed_by_id(pool: PgPool) {
    let store = open(&pool).await;
    let mut connection = store.read().await.unwrap();
    let namesake = account(UserId(Uuid::from_u128(0xC)), "ANNA");
    people::put_account(&mut connection, &namesake, false, at(9))
        .await
        .unwrap();
    let found = people::accounts_by_username(&mut connection, "Anna").await.unwrap();
    assert_eq!(
        found.iter().map(|it| it.id).collect::<Vec<_>>(),
        [namesake.id, ANNA],
        "the newest first"
    );
    assert!(
        people::accounts_by_username(&mut connection, "nobody")
            .await
            .unwrap()
            .is_empty()
    );
    people::deactivate(&mut connection, namesake.id, at(10)).await.unwrap();
    assert_eq!(
        people::accounts_by_username(&mut connection, "anna")
            .await
            .unwrap()
            .len(),
        1
    );
    let all = people::accounts(&mut connection, None, 10).await.unwrap();
    assert_eq!(all.iter().map(|it| it.id).collect::<Vec<_>>(), [ANNA, BERT]);
    let rest = people::accounts(&mut connection, Some(ANNA), 10).await.unwrap();
    assert_eq!(rest.iter().map(|it| it.id).collect::<Vec<_>>(), [BERT]);
    assert_eq!(people::accounts(&mut connection, None, 1).await.unwrap().len(), 1);
    let both = people::profiles(&mut connection, &[ANNA.0, alice().0, Uuid::nil()])
        .await
        .unwrap();
    assert_eq!(both.len(), 2);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn an_uploaded_picture_is_remembered_for_its_owner(pool: PgPool) {
    let store = open(&pool).await;
    let mut connection = store.read().await.unwrap();
    assert_eq!(
        people::cached_avatar(&mut connection, ANNA, "hash").await.unwrap(),
        None
    );
    for mxc in ["mxc://a/1", "mxc://a/2"] {
        people::cache_avatar(&mut connection, ANNA, "hash", mxc, at(0))
            .await
            .unwrap();
        assert_eq!(
            people::cached_avatar(&mut connection, ANNA, "hash")
                .await
                .unwrap()
                .as_deref(),
            Some(mxc)
        );
    }
    assert_eq!(
        people::cached_avatar(&mut connection, BERT, "hash").await.unwrap(),
        None
    );
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn an_account_that_was_described_is_not_renamed_by_a_token(pool: PgPool) {
    let store = open(&pool).await;
    let mut connection = store.read().await.unwrap();
    let by_token = account(ANNA, "token-name");
    assert!(
        people::put_account(&mut connection, &by_token, false, at(1))
            .await
            .unwrap()
    );
    assert!(
        !people::put_account(&mut connection, &by_token, true, at(2))
            .await
            .unwrap(),
        "nothing is news, but who says so"
    );
    let other = account(ANNA, "another");
    assert!(
        !people::put_account(&mut connection, &other, false, at(3))
            .await
            .unwrap()
    );
    let known = people::account(&mut connection, ANNA).await.unwrap().unwrap();
    assert_eq!((known.described, known.person), (true, by_token));
    assert!(people::put_account(&mut connection, &other, true, at(4)).await.unwrap());
}
