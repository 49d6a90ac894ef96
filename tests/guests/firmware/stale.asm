; Assemble with nasm -f bin. 64 KiB that end at 4 GiB, and at 1 MiB once more.

; A firmware that changes code which it has just run, in all the ways that the machine has, and
; tells at port 402h what the code says before and after: with and without paging.

[warning -number-overflow]           ; labels that are cut to 16 bits on purpose
%define HERE 0x30000                ; where it runs: a copy, so that its own place can change
%define CODE 0x50000                ; the routine: mov al, n; ret
%define ROM_CODE (0xF0000 + ((rom_routine) - HERE))
%define MEG 0x100000
%define BIG 0x400000
%define DIRECTORY 0x20000
%define TABLES 0x21000

bits 16
org HERE

start:
    cli
    xor     ax, ax
    mov     ds, ax
    mov     ss, ax
    mov     esp, 0x7000
    mov     ax, HERE >> 4
    mov     es, ax
    xor     esi, esi
    mov     ecx, 0x10000
.next:
    mov     al, [cs:esi]
    mov     [es:esi], al
    inc     esi
    loop    .next, ecx
    lgdt    [es:gdt_pointer - HERE]
    mov     eax, cr0
    or      al, 1
    mov     cr0, eax
    jmp     dword 8:wide

bits 32
wide:
    mov     ax, 16
    mov     ds, ax
    mov     es, ax
    mov     ss, ax
    call    all
    mov     edi, TABLES             ; two times 4 MiB, one to one
    mov     eax, 3
    mov     ecx, 2048
.entry:
    stosd
    add     eax, 0x1000
    loop    .entry
    mov     edi, DIRECTORY
    xor     eax, eax
    mov     ecx, 1024
    rep     stosd
    mov     dword [DIRECTORY], TABLES + 3
    mov     dword [DIRECTORY + 4], TABLES + 3       ; the first 4 MiB once more
    mov     dword [DIRECTORY + 8], TABLES + 0x1003
    mov     eax, DIRECTORY
    mov     cr3, eax
    mov     eax, cr0
    or      eax, 0x80000000
    mov     cr0, eax
    call    all
    call    aliases
    mov     al, 'E'
    call    tell
    hlt

all:
    call    same
    call    gate
    call    device
    jmp     shadow

same:                               ; a store at the address that the code runs at
    mov     al, 'S'
    mov     ebp, CODE
    mov     edi, CODE
    jmp     by_store

gate:                               ; the A20 gate is closed: two addresses, one memory
    mov     al, 0
    out     0x92, al
    mov     al, 'A'
    mov     ebp, CODE
    mov     edi, CODE + MEG
    call    by_store
    mov     al, 'B'
    mov     ebp, CODE + MEG
    mov     edi, CODE
    call    by_store
    mov     al, 2                   ; it opens: what was there is elsewhere now
    out     0x92, al
    mov     byte [CODE + MEG], 0xB0
    mov     word [CODE + MEG + 1], 0xC303
    mov     ebp, CODE + MEG
    call    ebp
    jmp     tell

device:                             ; the firmware configuration device writes, by DMA
    mov     al, 'D'
    mov     ebp, CODE
    mov     edi, CODE
    call    run_first
    mov     dword [0x1000], 0x0A000000  ; select item 0, read: bytes are the other way round
    mov     dword [0x1004], 0x01000000
    mov     dword [0x1008], 0
    mov     eax, CODE + 1
    bswap   eax
    mov     [0x100C], eax
    mov     edx, 0x514
    xor     eax, eax
    out     dx, eax
    mov     edx, 0x518
    mov     eax, 0x1000
    bswap   eax
    out     dx, eax
    jmp     run_again

shadow:                             ; the attribute map switches under the code
    mov     al, 'P'
    call    tell
    mov     ebp, ROM_CODE
    mov     al, 0x00
    call    attribute
    mov     al, 0x30                ; RAM, with something of its own
    call    set_attribute
    mov     byte [ROM_CODE], 0xB0
    mov     word [ROM_CODE + 1], 0xC302
    call    run_again
    mov     al, 0x10                ; reads from RAM, writes go nowhere
    call    attribute
    mov     byte [ROM_CODE + 1], 9
    call    run_again
    mov     al, 0x30
    call    attribute
    mov     byte [ROM_CODE + 1], 3
    call    run_again
    mov     al, 0x00
    ; and back to ROM

attribute:
    call    set_attribute
    jmp     run_again

set_attribute:                      ; AL into the host bridge's register 59h
    push    eax
    mov     eax, 0x80000058
    mov     edx, 0xCF8
    out     dx, eax
    mov     edx, 0xCFD
    pop     eax
    out     dx, al
    ret

aliases:                            ; two linear addresses, one memory
    mov     al, 'L'
    mov     ebp, CODE + BIG
    mov     edi, CODE
    call    by_store
    mov     al, 'M'
    mov     ebp, CODE
    mov     edi, CODE + BIG
    call    by_store
    mov     byte [CODE + 2 * BIG], 0xB0     ; one linear address, another memory
    mov     word [CODE + 2 * BIG + 1], 0xC305
    mov     al, 'N'
    mov     ebp, CODE + BIG
    mov     edi, CODE
    call    run_first
    mov     dword [DIRECTORY + 4], TABLES + 0x1003
    invlpg  [CODE + BIG]
    jmp     run_again

by_store:                           ; AL a letter, EBP the code, EDI where to write it
    call    run_first
    mov     byte [edi + 0x100], 0x55
    mov     byte [edi + 1], 2
    jmp     run_again

run_first:
    call    tell
    mov     byte [edi], 0xB0
    mov     word [edi + 1], 0xC301
run_again:
    call    ebp
tell:
    mov     edx, 0x402
    out     dx, al
    ret

rom_routine:
    mov     al, 1
    ret

align 8
gdt:
    dq      0
    dq      0x00CF9B000000FFFF      ; 08h code
    dq      0x00CF93000000FFFF      ; 10h data
gdt_pointer:
    dw      23
    dd      gdt

bits 16
    times   0xFFF0 - ($ - $$) db 0
    jmp     0xF000:start - HERE
    times   0x10000 - ($ - $$) db 0
